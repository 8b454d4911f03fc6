.PHONY: demo run build test bench lint fmt fuzz pictures setup clean

# Builds licgate, starts it on loopback with fresh demo data, plays the standard's two flows, leaves it running.
demo: build
	go run ./examples/demo

# Starts a gateway with the shipped Caddyfile.
run: build
	bin/licgate run --config Caddyfile

build:
	./xcaddy.sh
	CGO_ENABLED=0 go build -o bin/licgate-verify ./cmd/licgate-verify

# Everything: set-up, style, a few seconds of every fuzz target, every test with the race detector.
test: setup lint
	tools/fuzz.sh 3s
	go test -race -shuffle=on -timeout 38m ./...

bench:
	go test -run '^$$' -bench . -benchtime 2s ./bench/...

lint:
	@out=$$(cd tools && go tool gofumpt -l $$(cd .. && git ls-files '*.go' | sed 's,^,../,')); \
	  if [ -n "$$out" ]; then echo "not formatted (make fmt):"; echo "$$out"; exit 1; fi
	go vet ./...
	cd tools && go build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck && cd .. && bin/staticcheck ./...

fmt:
	cd tools && go tool gofumpt -w $$(cd .. && git ls-files '*.go' | sed 's,^,../,')

# Longer fuzzing.
fuzz:
	tools/fuzz.sh 2m

# Draws each shipped template, as page (1280 and 390 px) and as PDF, for people to look at.
pictures:
	mkdir -p docs/pictures
	LICGATE_PICTURES=$(CURDIR)/docs/pictures go test -count=1 -run '^TestPictures$$' ./render

setup:
	@tools/setup.sh

clean:
	rm -rf bin demo-data
