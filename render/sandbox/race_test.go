//go:build race && linux

package sandbox

const raceDetector = true
