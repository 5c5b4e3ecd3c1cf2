module ksecret.dev/tools/gjson

go 1.26.0

tool ksecret.dev/tools/gjson/gjson-get

// The pin: the version that External Secrets Operator (../external-secrets) has.
require github.com/tidwall/gjson v1.18.0

require (
	github.com/tidwall/match v1.2.0 // indirect
	github.com/tidwall/pretty v1.2.1 // indirect
)
