package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// flagFault says what is wrong with a flag.
func flagFault(err error) string {
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		if unknown.GetSpecifiedShortnames() != "" {
			return "没有 -" + unknown.GetSpecifiedName()
		}
		return "没有 --" + unknown.GetSpecifiedName()
	case errors.As(err, &bare):
		return "--" + bare.GetFlag().Name + " 后面要写值"
	case errors.As(err, &invalid):
		kind := map[string]string{
			"bool": " true 或 false", "int": "整数", "int64": "整数", "uint": " 0 或正整数", "uintSlice": " 0 或正整数", "duration": "时长，例如 30m、24h",
		}[invalid.GetFlag().Value.Type()]
		if kind == "" {
			kind = invalid.GetFlag().Value.Type()
		}
		return fmt.Sprintf("--%s 的值 %q 不对，应为%s", invalid.GetFlag().Name, invalid.GetValue(), kind)
	case errors.As(err, &syntax):
		return fmt.Sprintf("%q 的写法不对，应为 --名称=值", syntax.GetSpecifiedFlag())
	}
	return err.Error()
}

// systemWords are what the operating system says of files, and what people read.
var systemWords = []struct {
	err  error
	text string
}{
	{fs.ErrExist, "文件已存在，请换一个文件名或先移走它"},
	{fs.ErrNotExist, "没有这个文件或文件夹"},
	{fs.ErrPermission, "没有权限"},
}

// withoutSystemWords is the error's text, in which a fault of a file is said in our words: its path and what is wrong.
func withoutSystemWords(err error) string {
	text := err.Error()
	told, path, why := "", "", error(nil)
	var file *fs.PathError
	var two *os.LinkError
	switch {
	case errors.As(err, &file):
		told, path, why = file.Error(), file.Path, file.Err
	case errors.As(err, &two):
		told, path, why = two.Error(), two.New, two.Err
	}
	for _, known := range systemWords {
		if why != nil && errors.Is(why, known.err) {
			return strings.ReplaceAll(text, told, path+"："+known.text)
		}
	}
	return text
}
