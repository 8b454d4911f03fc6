// Package render measures how fast licences are drawn and sealed, next to headless Chromium that prints the same page:
//
//	go test -run '^$' -bench . ./bench/render
package render
