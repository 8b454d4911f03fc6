package caddymodule

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"licgate/registry"
	"licgate/render"
)

// renderCommands look at templates. They need no gateway.
func renderCommands(cmd *cobra.Command) {
	templates := &cobra.Command{Use: "templates", Short: "列出随程序提供的证面模板"}
	templates.Flags().Bool("json", false, "输出 JSON")
	run(templates, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return listTemplates(cmd) })

	template := &cobra.Command{Use: "template NAME", Short: "输出一个随程序提供的模板（YAML），可作为自定义模板的起点", ValidArgsFunction: completeTemplate}
	run(template, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		text, ok := render.ShippedTemplate(args[0])
		if !ok {
			return noTemplate(args[0])
		}
		_, err := cmd.OutOrStdout().Write(text)
		return err
	})
	group(cmd, previewCommand(), templates, template)
}

// completeTemplate offers the names of shipped templates to the shell.
func completeTemplate(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(given) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return render.ShippedTemplates(), cobra.ShellCompDirectiveNoFileComp
}

func noTemplate(name string) error {
	return fmt.Errorf("没有名为 %q 的模板，可用：%s", name, strings.Join(render.ShippedTemplates(), "、"))
}

func listTemplates(cmd *cobra.Command) error {
	type listedTemplate struct {
		Template string `json:"template"`
		Name     string `json:"name"`
		Version  string `json:"version"`
	}
	var all []listedTemplate
	for _, name := range render.ShippedTemplates() {
		text, _ := render.ShippedTemplate(name)
		t, err := render.Parse(text, nil)
		if err != nil {
			return fmt.Errorf("模板 %s：%w", name, err)
		}
		all = append(all, listedTemplate{name, t.Name(), t.Version()})
	}
	if asJSON(cmd) {
		return printJSON(cmd, all)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "模板\t名称\t版本")
	for _, t := range all {
		fmt.Fprintf(w, "%s\t%s\t%.12s\n", t.Template, t.Name, t.Version)
	}
	return w.Flush()
}

const previewHelp = `检查证面模板，并用虚构的内容生成样张：PDF、桌面页面和手机页面。不需要网关在运行。

  licgate render preview -f face.yaml --asset bg.png        自定义模板
  licgate render preview --template marriage                随程序提供的模板
  licgate render preview --platform platform.yaml --item 305018201
                                                            目录项已声明的全部证面
同时给出模板和 --platform、--item 时，按该目录项的字段检查模板并填写样张；不给目录项时，只检查模板本身。
模板的写法见 docs/templates.md。`

func previewCommand() *cobra.Command {
	preview := &cobra.Command{
		Use:   "preview (-f FACE.yaml [--asset FILE]… | --template NAME | --platform FILE --item CODE) [--out DIR]",
		Short: "检查证面模板并生成样张（PDF 与页面）", Long: previewHelp,
	}
	var q previewing
	flags := preview.Flags()
	flags.StringVarP(&q.file, "file", "f", "", "模板文件（YAML）；- 表示标准输入")
	flags.StringArrayVar(&q.assets, "asset", nil, "模板用到的图片，可多次给出；名称取文件名")
	flags.StringVar(&q.template, "template", "", "随程序提供的模板名")
	flags.StringVar(&q.platform, "platform", "", "platform.yaml，提供目录项的字段")
	flags.StringVar(&q.item, "item", "", "证照目录编码")
	flags.StringVar(&q.out, "out", "face-preview", "样张写到这个文件夹")
	_ = preview.MarkFlagFilename("file", "yaml", "yml")
	_ = preview.RegisterFlagCompletionFunc("template", completeTemplate)
	_ = preview.MarkFlagFilename("platform", "yaml", "yml")
	_ = preview.MarkFlagDirname("out")
	run(preview, cobra.NoArgs, func(cmd *cobra.Command, _ []string) error { return q.run(cmd) })
	return preview
}

// previewing is a call of the preview command.
type previewing struct {
	file, template, platform, item, out string
	assets                              []string
}

// previewed is a face to be drawn, and how its files are called.
type previewed struct {
	name     string
	template *render.Template
}

func (q *previewing) run(cmd *cobra.Command) error {
	switch {
	case q.file != "" && q.template != "":
		return usageError("-f 与 --template 只能用一个")
	case (q.platform == "") != (q.item == ""):
		return usageError("--platform 与 --item 要一起用")
	case q.file == "" && q.template == "" && q.item == "":
		return usageError("请用 -f 指定模板文件，或用 --template 指定随程序提供的模板，或用 --platform 与 --item 指定目录项")
	case q.file == "" && len(q.assets) > 0:
		return usageError("--asset 只与 -f 一起用")
	}
	item, err := q.readItem(cmd)
	if err != nil {
		return err
	}
	all, err := q.faces(cmd, item)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(q.out, 0o755); err != nil {
		return fmt.Errorf("不能创建文件夹：%w", err)
	}
	fonts, err := render.OpenFonts("")
	if err != nil {
		return err
	}
	stylesheet := path.Base(fonts.StylesheetPath())
	content, _, err := fonts.Asset(stylesheet)
	if err != nil {
		return err
	}
	if err := q.write(stylesheet, content.Content); err != nil {
		return err
	}
	for _, one := range all {
		if err := q.draw(cmd, one, item, fonts); err != nil {
			return err
		}
	}
	return nil
}

// readItem finds the item in the platform file; nil when none was asked for.
func (q *previewing) readItem(cmd *cobra.Command) (*registry.Item, error) {
	if q.item == "" {
		return nil, nil
	}
	text, err := readFile(cmd, q.platform)
	if err != nil {
		return nil, err
	}
	p, err := registry.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s 有误：\n%w", q.platform, err)
	}
	i := slices.IndexFunc(p.Items, func(one registry.Item) bool { return one.LicenseItemCode == q.item })
	if i < 0 {
		return nil, fmt.Errorf("%s 中没有证照目录 %q，请核对 --item", q.platform, q.item)
	}
	if q.file == "" && q.template == "" {
		// Lines are the platform file's, as when it is applied.
		one := newFaces()
		if err := p.CheckFaces(func(item *registry.Item, face *registry.Face) []registry.Problem {
			if item.LicenseItemCode != q.item {
				return nil
			}
			return one.judge(item, face)
		}); err != nil {
			return nil, fmt.Errorf("%s 有误：\n%w", q.platform, err)
		}
	}
	return &p.Items[i], nil
}

// faces are those that the call names, checked against the item if it names one.
func (q *previewing) faces(cmd *cobra.Command, item *registry.Item) ([]previewed, error) {
	if q.file == "" && q.template == "" {
		var all []previewed
		for i := range item.Faces {
			yaml, assets, _ := declaredFace(&item.Faces[i])
			t, err := render.Parse(yaml, assets)
			if err != nil {
				return nil, err
			}
			all = append(all, previewed{fmt.Sprintf("preview-%d", i+1), t})
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("证照目录 %s 没有声明证面（faces），使用通用证面；请用 -f 或 --template 指定模板", q.item)
		}
		return all, nil
	}
	from, yaml, assets, err := q.declaration(cmd)
	if err != nil {
		return nil, err
	}
	t, err := render.Parse(yaml, assets)
	if err == nil {
		err = t.Check(fieldsOf(t, item))
	}
	if err != nil {
		return nil, fmt.Errorf("%s 有误：\n%w", from, err)
	}
	return []previewed{{"preview", t}}, nil
}

// fieldsOf are the item's fields or, without an item, those that the template places.
func fieldsOf(t *render.Template, item *registry.Item) []render.FieldInfo {
	if item == nil {
		return t.Fields()
	}
	return fieldInfos(item)
}

// declaration reads the template that the call names.
func (q *previewing) declaration(cmd *cobra.Command) (from string, yaml []byte, assets map[string][]byte, err error) {
	if q.template != "" {
		yaml, ok := render.ShippedTemplate(q.template)
		if !ok {
			return "", nil, nil, noTemplate(q.template)
		}
		return "模板 " + q.template, yaml, nil, nil
	}
	if yaml, err = readFile(cmd, q.file); err != nil {
		return "", nil, nil, err
	}
	assets = map[string][]byte{}
	for _, file := range q.assets {
		name := filepath.Base(file)
		if _, twice := assets[name]; twice {
			return "", nil, nil, usageError("两个 --asset 的文件名都是 " + name + "，请改名")
		}
		if assets[name], err = readFile(cmd, file); err != nil {
			return "", nil, nil, err
		}
	}
	return q.file, yaml, assets, nil
}

// draw writes the samples of one face.
func (q *previewing) draw(cmd *cobra.Command, face previewed, item *registry.Item, fonts *render.Fonts) error {
	title := face.template.Name()
	if item != nil {
		title = item.Name
	}
	view, err := render.Preview(face.template, title, fieldsOf(face.template, item), time.Now())
	if err != nil {
		return err
	}
	view.Fonts = fonts
	pdf, err := render.PDF(view)
	if errors.Is(err, render.ErrOverflow) {
		return fmt.Errorf("样张的内容放不下，请加大相应的 box，或去掉 overflow: refuse：%w", err)
	}
	if err != nil {
		return fmt.Errorf("生成 PDF：%w", err)
	}
	files := map[string][]byte{face.name + ".pdf": pdf.Data}
	for suffix, variant := range map[string]render.Variant{"": render.Desktop, "-mobile": render.Mobile} {
		var page bytes.Buffer
		if err := render.Page(&page, view, variant); err != nil {
			return fmt.Errorf("生成页面：%w", err)
		}
		// Opened from the folder, without a gateway.
		files[face.name+suffix+".html"] = bytes.ReplaceAll(page.Bytes(), []byte(fonts.StylesheetPath()), []byte(path.Base(fonts.StylesheetPath())))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s（版本 %.12s）通过检查，样张：\n", face.template.Name(), face.template.Version())
	for _, suffix := range []string{".pdf", ".html", "-mobile.html"} {
		if err := q.write(face.name+suffix, files[face.name+suffix]); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "  "+filepath.Join(q.out, face.name+suffix))
	}
	return nil
}

func (q *previewing) write(name string, content []byte) error {
	if err := os.WriteFile(filepath.Join(q.out, name), content, 0o644); err != nil {
		return fmt.Errorf("不能写样张：%w", err)
	}
	return nil
}
