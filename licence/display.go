package licence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Text is a data field as a face shows it: text and numbers as they are, yes and no in Chinese, lists joined with 、,
// objects as JSON. A picture has no text.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "是"
		}
		return "否"
	case []any:
		parts := make([]string, 0, len(v))
		for _, one := range v {
			parts = append(parts, Text(one))
		}
		return strings.Join(parts, "、")
	case map[string]any:
		if _, picture := v["file_data"]; picture {
			return ""
		}
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(value)
}

// Picture is the content of a picture field ({file_suffix, file_data}), nil when there is none.
func Picture(value any) []byte {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	text, _ := object["file_data"].(string)
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(content) == 0 {
		return nil
	}
	return content
}
