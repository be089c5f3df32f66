package redact

import (
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/redact/redacttest"
)

func setOf(values ...string) *Set {
	s := &Set{}
	for _, v := range values {
		s.Learn(v)
	}
	return s
}

// hidden is text with what s finds replaced.
func hidden(s *Set, text string) string {
	var b strings.Builder
	at := 0
	for _, span := range s.Spans(text) {
		b.WriteString(text[at:span.From] + "[secret]")
		at = span.To
	}
	return b.String() + text[at:]
}

func TestAttackForms(t *testing.T) {
	for _, f := range redacttest.Forms {
		t.Run(f.Name, func(t *testing.T) {
			for _, v := range redacttest.Values {
				for _, around := range [][2]string{{"", ""}, {"before ", " after"}, {"x=", ";"}, {"key: \"", "\"\n"}} {
					text := around[0] + f.Of(v) + around[1]
					out := hidden(setOf(v), text)
					if shown := redacttest.Shows(f, v, out); f.Found && (shown != "" || out == text) {
						t.Errorf("%q shows %q: %q", v, shown, out)
					} else if !f.Found && out != text && !strings.Contains(f.Name, "half") {
						t.Errorf("%q in this form is found, and listed as not found: %q became %q", v, text, out)
					}
				}
			}
		})
	}
}

// What is in a value is found without the rest of it.
func TestAttackStructured(t *testing.T) {
	const key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\nNMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ\n"
	pem := "-----BEGIN PRIVATE KEY-----\n" + key + "-----END PRIVATE KEY-----\n"
	lines := strings.Split(strings.TrimSpace(key), "\n")
	indented := "server:\n  tls:\n    key: |\n      " + strings.ReplaceAll(strings.TrimSpace(pem), "\n", "\n      ") + "\n"
	docker := `{"auths":{"registry.example.com":{"username":"robot","auth":"cm9ib3Q6ZG9ja2VyLXB3LTEyMw=="}}}` // robot:docker-pw-123
	for name, c := range map[string]struct {
		value string
		parts []string
		shown []string
	}{
		"PEM":                  {pem, lines, []string{"-----BEGIN PRIVATE KEY-----", "-----END CERTIFICATE-----"}},
		"PEM on one line":      {pem, []string{strings.ReplaceAll(pem, "\n", `\n`), strings.ReplaceAll(key, "\n", " ")}, nil},
		"PEM in YAML":          {indented, lines, []string{"server:", "tls:"}},
		"PEM in JSON":          {`{"tls":{"key":"` + strings.ReplaceAll(pem, "\n", `\n`) + `"}}`, lines, nil},
		"docker login":         {docker, []string{"docker-pw-123", `"auth":"cm9ib3Q6ZG9ja2VyLXB3LTEyMw=="`}, []string{"registry.example.com"}},
		"URL":                  {"postgres://app:s3cr3t-pw@db.example.com:5432/shop?sslmode=require", []string{"s3cr3t-pw", "password is s3cr3t-pw"}, []string{"db.example.com:5432", "sslmode=require", "an app"}},
		"URL, escaped":         {"amqp://app:a%2Fb%40c-123@mq/", []string{"a/b@c-123", "a%2Fb%40c-123"}, nil},
		"URL with a token":     {"https://ghp_abcdef123456@github.com/x/y", []string{"ghp_abcdef123456"}, []string{"github.com/x/y"}},
		"URL with a query":     {"https://hooks.example.com/x?sig=abc%2Bdef123&v=2", []string{"abc+def123"}, nil},
		"MySQL":                {"app:s3cr3t-pw@tcp(db:3306)/shop?parseTime=true", []string{"s3cr3t-pw"}, []string{"tcp(db:3306)", "parseTime=true"}},
		"libpq":                {"host=db.example.com user=app password='s3cr3t pw 1' dbname=shop", []string{"s3cr3t pw 1"}, []string{"host", "dbname"}},
		"JDBC":                 {"jdbc:postgresql://db.example.com/shop?user=app&password=s3cr3t-pw", []string{"s3cr3t-pw"}, []string{"jdbc:postgresql"}},
		"ADO":                  {"Server=db.example.com;User Id=app-user;Password=s3cr3t-pw;", []string{"s3cr3t-pw"}, []string{"Server", "Password"}},
		"Azure":                {"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA==;EndpointSuffix=core.example.net", []string{"Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MA=="}, nil},
		"properties":           {"# login\nspring.datasource.password=s3cr3t-pw\nserver.port = 8080\n", []string{"s3cr3t-pw"}, []string{"spring.datasource.password=", "server.port = "}},
		"env file":             {"export DB_PASSWORD=\"s3cr3t-pw\"\nLEVEL=info\n", []string{"s3cr3t-pw"}, []string{"DB_PASSWORD", "LEVEL=info"}},
		"INI":                  {"[client]\nuser=app\npassword = s3cr3t-pw ; old\n", []string{"s3cr3t-pw"}, []string{"[client]"}},
		"TOML":                 {"[db]\npassword = 's3cr3t-pw'\nports = [1, 2]\n", []string{"s3cr3t-pw"}, nil},
		"YAML":                 {"db:\n  password: s3cr3t-pw\n  hosts: [a.example.com]\n", []string{"s3cr3t-pw"}, []string{"password", "hosts"}},
		"YAML documents":       {"a: 1\n---\nb: s3cr3t-pw\n", []string{"s3cr3t-pw"}, nil},
		"YAML block":           {"script: |\n  login --password s3cr3t-pw\n", []string{"s3cr3t-pw"}, nil},
		"JSON number":          {`{"pin":918273645}`, []string{"918273645"}, nil},
		"JSON list":            {`["s3cr3t-pw","other-pw"]`, []string{"s3cr3t-pw", "other-pw"}, nil},
		"JSON in YAML":         {"config: '{\"a\":{\"b\":\"s3cr3t-pw\"}}'\n", []string{"s3cr3t-pw"}, nil},
		"service account":      {`{"type":"service_account","private_key":"` + strings.ReplaceAll(pem, "\n", `\n`) + `","client_id":"1234567890"}`, append([]string{"1234567890"}, lines...), nil},
		"kubeconfig":           {"users:\n- name: a\n  user:\n    token: s3cr3t-token\n    client-key-data: " + strings.Repeat("QUJD", 12) + "\n", []string{"s3cr3t-token", strings.Repeat("QUJD", 12)}, []string{"client-key-data"}},
		"netrc":                {"machine git.example.com login app password s3cr3t-pw", []string{"s3cr3t-pw"}, []string{"git.example.com"}},
		"pgpass":               {"db.example.com:5432:shop:app:s3cr3t-pw", []string{"s3cr3t-pw"}, nil},
		"htpasswd":             {"app:$apr1$abcd$efghijklmnop\nroot:$apr1$wxyz$qrstuvwxyzab\n", []string{"$apr1$abcd$efghijklmnop", "$apr1$wxyz$qrstuvwxyzab"}, nil},
		"redis.conf":           {"requirepass s3cr3t-pw\nmaxclients 100\n", []string{"s3cr3t-pw"}, []string{"maxclients"}},
		"XML":                  {"<server><id>nexus</id><password>s3cr3t-pw</password></server>", []string{"s3cr3t-pw"}, nil},
		"base64 of a login":    {"YXBwOnMzY3IzdC1wdw==", []string{"s3cr3t-pw"}, nil},
		"lines":                {"s3cr3t-one\ns3cr3t-two\n", []string{"s3cr3t-one", "s3cr3t-two"}, nil},
		"excerpt":              {strings.Repeat("0123456789abcdef", 3) + "The quick brown fox jumps", []string{"456789abcdefThe quick brown fox jumps"}, []string{"The quick brown fox"}},
		"excerpt, behind it":   {strings.Repeat("k", 20) + "9Jx2" + strings.Repeat("q", 20), []string{strings.Repeat("k", 14) + "9Jx2" + strings.Repeat("q", 14)}, nil},
		"ordinary parts":       {"mode: production\nhost: localhost\nlevel: debug\npassword: s3cr3t-pw\n", []string{"s3cr3t-pw"}, []string{"production", "localhost", "debug"}},
		"a value with a sign":  {"pa=ss=word", []string{"pa=ss=word", "ss=word"}, nil},
		"a value with a colon": {"pass:word1", []string{"pass:word1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := setOf(c.value)
			for _, part := range c.parts {
				if out := hidden(s, "log: "+part+"."); strings.Contains(out, part) {
					t.Errorf("shows %q: %q", part, out)
				}
			}
			if out := hidden(s, c.value); len(c.value) > 12 && out != "[secret]" && out != "[secret]\n" && strings.Contains(out, c.parts[0]) {
				t.Errorf("the value itself: %q", out)
			}
			for _, text := range c.shown {
				if out := hidden(s, text); out != text {
					t.Errorf("hides %q: %q", text, out)
				}
			}
		})
	}
}

// Short values, and ordinary words, are hidden where they are a whole field.
func TestAttackShortValues(t *testing.T) {
	s := setOf("abc", "5432", "pw 1", "true", "x", "info")
	s.LearnWhole("postgres")
	for in, want := range map[string]string{
		"abc": "[secret]", " ABC\n": "[secret]", "5432": "[secret]", "pw 1": "[secret]", "postgres": "[secret]",
		"YWJj": "[secret]", "YWJjCg==": "[secret]", "616263": "[secret]", "cG9zdGdyZXM=": "[secret]",
		`invalid value: "abc": no`: `invalid value: "[secret]": no`, `user 'postgres'`: `user '[secret]'`,
		"password=abc, x": "password=[secret], x", "PGUSER=postgres": "PGUSER=[secret]",
		"postgres://postgres:x@db": "postgres://[secret]:x@db", `{\"pin\":\"5432\"}`: `{\"pin\":\"[secret]\"}`,
		"abcd": "abcd", "port 5432": "port 5432", "true": "true", "x": "x", "info": "info", "image postgres:16": "image postgres:16",
	} {
		if got := hidden(s, in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// The cost is linear, whatever the values and the text are.
func TestAttackCost(t *testing.T) {
	const size = 1 << 17
	var lines strings.Builder
	for i := 0; lines.Len() < size; i++ {
		lines.WriteString(strings.Repeat("a", i%40) + "\n")
	}
	for name, c := range map[string]struct{ value, text string }{
		"one letter":         {strings.Repeat("a", size), strings.Repeat("a", size)},
		"one letter, almost": {strings.Repeat("a", size) + "b", strings.Repeat("a", size)},
		"lines of a letter":  {lines.String(), strings.Repeat("a", size)},
		"structured":         {"a: " + strings.Repeat("a", size), strings.Repeat("a: aaaaaaaaaaaaaaaaaaaaaaaaaa ", size/30)},
		"a period":           {strings.Repeat("abcdefg", size/7), strings.Repeat("abcdefg", size/7)},
		"brackets":           {strings.Repeat("[", size), strings.Repeat("[", size)},
		"colons":             {strings.Repeat("a:", size/2), strings.Repeat("a:", size/2)},
		"ats":                {strings.Repeat("://a:b@", size/7), strings.Repeat("://", size/3)},
		"escapes":            {"secret-value", strings.Repeat(`\\%25&amp;`, size/10)},
		"quotes":             {"abc", strings.Repeat(`"`, size)},
		"base64":             {"secret-value", strings.Repeat("c2VjcmV0", size/8)},
	} {
		t.Run(name, func(t *testing.T) {
			s := setOf(c.value)
			s.Spans(c.text) // ends; quadratic, it would take many minutes
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	value := strings.Repeat("key.of.some.file = 0123456789abcdefghijklmnop\n", 1<<20/46)
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		setOf(value)
	}
}

func BenchmarkSpans(b *testing.B) {
	s := setOf("hunter2-Correct-Horse", strings.Repeat("0123456789abcdef", 1<<16))
	text := strings.Repeat("2026-03-01T12:00:00Z INFO request served path=/a/b?c=d status=200\n", 1<<14)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s.Spans(text)
	}
}
