package masking

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"sync"
)

// A picture in data_fields is an object of these two members (domain.md §2).
const (
	pictureSuffix = "file_suffix"
	pictureData   = "file_data"
)

// placeholder is the base64 PNG shown in place of a photo: a grey head and shoulders, the same for everybody.
var placeholder = sync.OnceValue(func() string {
	const width, height = 60, 80
	picture := image.NewPaletted(image.Rect(0, 0, width, height), color.Palette{color.Gray{Y: 0xEE}, color.Gray{Y: 0xB4}})
	for y := range height {
		for x := range width {
			dx, head, shoulders := x-width/2, y-28, y-height
			if dx*dx+head*head < 14*14 || dx*dx*30*30+shoulders*shoulders*24*24 < 24*24*30*30 {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var encoded bytes.Buffer
	if err := png.Encode(&encoded, picture); err != nil {
		panic("masking: drawing the placeholder: " + err.Error()) // a fixed picture, written to memory
	}
	return base64.StdEncoding.EncodeToString(encoded.Bytes())
})
