package redact

// PublicKeys returns the keys of Secrets whose values are mostly ordinary words:
// elsewhere they are hidden only where they are a whole field.
func PublicKeys() []string { return []string{"username", "user", "database"} }
