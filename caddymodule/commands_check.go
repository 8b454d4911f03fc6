package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"licgate/protocol"
)

const checkHelp = `核验证照页面或电子文件上的二维码：CODE 是二维码中 c= 之后的内容，也可直接给出整个地址。
由运行中的网关核验，所示内容与公开的核验页面（/verify）相同。二维码无效或已过期时退出码为 1。`

func checkCommand(cmd *cobra.Command) {
	cmd.Use, cmd.Long = "check CODE|URL", checkHelp
	gatewayFlags(cmd)
	run(cmd, cobra.ExactArgs(1), func(cmd *cobra.Command, args []string) error {
		var found checkAnswer
		if _, err := call(cmd, http.MethodPost, "check", checkRequest{Code: args[0]}, &found); err != nil {
			return err
		}
		refused := protocol.CodeNoCheck
		if found.Reason == "expired" {
			refused = protocol.CodeCheckExpired
		}
		if asJSON(cmd) {
			if err := printJSON(cmd, found); err != nil {
				return err
			}
		} else if found.Real {
			for _, fact := range found.Facts() {
				fmt.Fprintf(cmd.OutOrStdout(), "%s：%s\n", fact.Label, fact.Value)
			}
		}
		if !found.Real {
			return errors.New(refused.Text)
		}
		return nil
	})
}
