//go:build !race

package gm

const raceShare = 1
