#!/bin/sh
# Runs every fuzz target of the module for some seconds: tools/fuzz.sh 5s
set -eu
cd "$(dirname "$0")/.."
span=${1:-5s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

run() { # run FOLDER TARGET
	go test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$span" -fuzzminimizetime 0 -parallel 2 >"$log" 2>&1
}

# The go command now and then reports its own end of time, "context deadline exceeded", as a failure without any failing input.
# Only then is a target run again; a second time counts.
onlyTimeEnded() {
	grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"
}

grep -rn --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | grep -v '^./tools/' | sort |
	while IFS=: read -r file _ func; do
		folder=$(dirname "$file") name=${func#func }
		echo "fuzz $folder $name"
		if run "$folder" "$name" || { onlyTimeEnded && run "$folder" "$name"; }; then
			continue
		fi
		cat "$log"
		exit 1
	done
