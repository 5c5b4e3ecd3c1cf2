// Command gjson-get reads members of JSON values exactly as External Secrets Operator does.
//
// It reads a JSON array of [document, property] from standard input and prints an array of {"azure": text, "vault":
// text}; null where there is none. The operator has no one way for all providers: that of Azure Key Vault takes the
// property as a path first and then as the name of a member (getProperty of pkg/provider/azure/keyvault), that of
// Vault the other way round (getSecretValue of pkg/provider/vault), as those of AWS and Google do.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/tidwall/gjson"
)

type reading struct {
	Azure *string `json:"azure"`
	Vault *string `json:"vault"`
}

func text(result gjson.Result) *string {
	if !result.Exists() {
		return nil
	}
	value := result.String()
	return &value
}

func read(document, property string) reading {
	path := text(gjson.Get(document, property))
	name := text(gjson.Get(document, strings.ReplaceAll(property, ".", "\\.")))
	if !strings.Contains(property, ".") {
		return reading{path, path}
	}
	if path == nil {
		return reading{name, name}
	}
	if name == nil {
		return reading{path, path}
	}
	return reading{path, name}
}

func main() {
	var pairs [][2]string
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		fmt.Fprintln(os.Stderr, "gjson-get: standard input:", err)
		os.Exit(1)
	}
	results := make([]reading, len(pairs))
	for i, pair := range pairs {
		results[i] = read(pair[0], pair[1])
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		fmt.Fprintln(os.Stderr, "gjson-get:", err)
		os.Exit(1)
	}
}
