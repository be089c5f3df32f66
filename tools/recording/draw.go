package main

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

const (
	cellWidth, cellHeight = 9, 19
	margin                = 12
	fontSize              = 15
)

var palette = color.Palette{
	color.RGBA{0x1e, 0x22, 0x2a, 0xff}, // background
	color.RGBA{0xd8, 0xde, 0xe9, 0xff}, // text
	color.RGBA{0xe0, 0x6c, 0x75, 0xff}, // red
	color.RGBA{0x98, 0xc3, 0x79, 0xff}, // green
	color.RGBA{0xe5, 0xc0, 0x7b, 0xff}, // yellow
	// Between text and background, for the edges of letters.
	color.RGBA{0x7b, 0x80, 0x8a, 0xff}, color.RGBA{0x4c, 0x51, 0x5a, 0xff}, color.RGBA{0xaa, 0xaf, 0xba, 0xff},
	color.RGBA{0x7f, 0x47, 0x50, 0xff}, color.RGBA{0x5b, 0x73, 0x52, 0xff}, color.RGBA{0x82, 0x71, 0x53, 0xff},
}

// picture draws rows of text with colours.
func picture(rows []string) (*image.Paletted, error) {
	f, err := opentype.Parse(gomono.TTF)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: fontSize, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, err
	}
	img := image.NewPaletted(image.Rect(0, 0, 2*margin+columns*cellWidth, 2*margin+len(rows)*cellHeight), palette)
	for y, row := range rows {
		x, ink := 0, palette[1]
		for row != "" {
			if at := colours.FindStringSubmatchIndex(row); at != nil && at[0] == 0 {
				ink = colourOf(row[at[2]:at[3]])
				row = row[at[1]:]
				continue
			}
			r := []rune(row)[0]
			row = row[len(string(r)):]
			cell := image.Rect(0, 0, cellWidth, cellHeight).Add(image.Pt(margin+x*cellWidth, margin+y*cellHeight))
			if !drawLine(img, cell, r, ink) {
				d := font.Drawer{Dst: img, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(cell.Min.X, cell.Min.Y+14)}
				d.DrawString(string(r))
			}
			x++
		}
	}
	return img, face.Close()
}

// save writes a small file of a picture.
func save(file string, rows []string) error {
	img, err := picture(rows)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	return errors.Join(enc.Encode(out, img), out.Close())
}

func colourOf(codes string) color.Color {
	for code := range strings.SplitSeq(codes, ";") {
		switch code {
		case "31":
			return palette[2]
		case "32":
			return palette[3]
		case "33":
			return palette[4]
		}
	}
	return palette[1]
}

// drawLine draws what the font does not have: lines, the dots of a spinner,
// and marks.
func drawLine(img draw.Image, cell image.Rectangle, r rune, ink color.Color) bool {
	left, right, top, bottom := cell.Min.X, cell.Max.X, cell.Min.Y, cell.Max.Y
	mx, my := left+cellWidth/2, top+cellHeight/2
	fill := func(x0, y0, x1, y1 int) {
		draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(ink), image.Point{}, draw.Src)
	}
	slope := func(x0, y0, x1, y1 int) {
		for i := range 2 * cellHeight {
			x, y := x0+(x1-x0)*i/(2*cellHeight-1), y0+(y1-y0)*i/(2*cellHeight-1)
			fill(x, y, x+2, y+1)
		}
	}
	switch {
	case r == '━':
		fill(left, my-1, right, my+3)
	case r == '┄':
		fill(left+1, my, left+4, my+1)
		fill(left+6, my, left+8, my+1)
	case r == '─':
		fill(left, my, right, my+1)
	case r == '│':
		fill(mx, top, mx+1, bottom)
	case r == '├':
		fill(mx, top, mx+1, bottom)
		fill(mx, my, right, my+1)
	case r == '└':
		fill(mx, top, mx+1, my+1)
		fill(mx, my, right, my+1)
	case r == '✓':
		slope(left+1, my, left+3, my+4)
		slope(left+3, my+4, right-2, my-5)
	case r == '✗':
		slope(left+1, my-4, right-2, my+4)
		slope(left+1, my+4, right-2, my-4)
	case r >= 0x2800 && r < 0x2900: // braille
		for bit, at := range [8]image.Point{{0, 0}, {0, 1}, {0, 2}, {1, 0}, {1, 1}, {1, 2}, {0, 3}, {1, 3}} {
			if (r-0x2800)>>bit&1 == 1 {
				x, y := left+2+at.X*4, top+4+at.Y*4
				fill(x, y, x+2, y+2)
			}
		}
	default:
		return false
	}
	return true
}
