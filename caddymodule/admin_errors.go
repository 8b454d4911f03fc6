package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"licgate/audit"
	"licgate/gm"
	"licgate/policy"
	"licgate/registry"
	"licgate/store"
)

// adminFailure says an error to an administrator: what is wrong and what to do.
func adminFailure(err error) error {
	var api caddy.APIError
	if errors.As(err, &api) {
		return api
	}
	var problems registry.Problems
	if errors.As(err, &problems) {
		return adminError(http.StatusUnprocessableEntity, "%s", problems.Error())
	}
	var syntax policy.SyntaxErrors
	if errors.As(err, &syntax) {
		return adminError(http.StatusUnprocessableEntity, "%s", syntaxText("policy ", syntax, 0))
	}
	var stale *staleError
	if errors.As(err, &stale) {
		return adminError(http.StatusPreconditionFailed, "%s", staleText(stale))
	}
	var used errItemInUse
	if errors.As(err, &used) {
		return adminError(http.StatusConflict, "证照目录 %s 已有电子证照，不能删除；如需停用请将 status 改为 CANCEL", used.code)
	}
	for _, row := range adminFailures {
		if errors.Is(err, row.err) {
			return caddy.APIError{HTTPStatus: row.status, Message: row.text, Err: err}
		}
	}
	return adminError(http.StatusInternalServerError, "操作失败：%v", err)
}

// adminStatus is the HTTP status that an error is answered with.
func adminStatus(err error) int {
	var api caddy.APIError
	errors.As(adminFailure(err), &api)
	return api.HTTPStatus
}

var adminFailures = []struct {
	err    error
	status int
	text   string
}{
	{policy.ErrStale, http.StatusConflict, "其间已有其他变更生效，请重新查看差异后再提交"},
	{policy.ErrNoVersion, http.StatusNotFound, "没有这个策略版本"},
	{policy.ErrAsk, http.StatusUnprocessableEntity, "没有这样的接口或数据项：请核对 --interface、--field"},
	{policy.ErrEmpty, http.StatusUnprocessableEntity, "策略没有任何允许的行，拒绝生效"},
	{errEmptied, http.StatusConflict, "这次变更会收回全部应用或全部账户的权利。确要如此请加 --force（会记入审计）"},
	{errLockout, http.StatusConflict, "这次变更之后没有可用的安全管理员。确要如此请加 --force（会记入审计；此后能连上管理端点的人即拥有全部权力）"},
	{errPowers, http.StatusConflict, "三员须齐备：系统管理员（system）、安全管理员（security）、审计管理员（audit）各至少一名启用。确要如此请加 --force"},
	{errChanged, http.StatusConflict, "现在执行这项变更的结果与提交时不同，未生效：请驳回后重新提交"},
	{errSelf, http.StatusForbidden, "须由另一名安全管理员批准，提交人不能批准自己的变更（只涉及管理员的变更，系统管理员、审计管理员也可批准）"},
	{errNotYours, http.StatusForbidden, "这项变更不只涉及管理员，须由安全管理员办理"},
	{errProposer, http.StatusConflict, "提交人现在不是启用的安全管理员，不能批准：请驳回后由现任安全管理员重新提交"},
	{errNoSecond, http.StatusConflict, "这类变更须由第二名安全管理员批准，而现在只有一名启用的安全管理员"},
	{errMixed, http.StatusConflict, "这次变更既涉及管理员又涉及其他内容，须由第二名安全管理员批准，而现在没有：请把管理员的变更单独提交，由系统管理员或审计管理员批准"},
	{errOutOfTime, http.StatusGone, "这项变更已过批准期限，请重新提交"},
	{gm.ErrIntegrity, http.StatusInternalServerError, "数据库中有一行被改动过，拒绝使用：请执行 licgate doctor --integrity 查出是哪一行"},
	{registry.ErrNoPending, http.StatusNotFound, "没有这个编号的待批变更"},
	{registry.ErrRedeclared, http.StatusConflict, "这项变更刚刚被重新加密，请重新查看并批准"},
	{registry.ErrDecided, http.StatusConflict, "这项变更已经被批准、驳回或过期"},
	{store.ErrNoJob, http.StatusNotFound, "没有这个编号的密钥任务"},
	{store.ErrJobTaken, http.StatusConflict, "这项密钥任务刚刚被改变，请重新查看：licgate keys status"},
	{registry.ErrNoForm, http.StatusNotFound, "没有这个编号的申请表"},
	{registry.ErrFormExists, http.StatusConflict, "这个编号的申请表已经提交过"},
	{errUnknownObject, http.StatusNotFound, "没有这个应用、账户或管理员"},
	{errUnknownAction, http.StatusNotFound, "没有这个操作"},
	{errDevelopmentOff, http.StatusForbidden, "配置未允许开发用实名凭据（licgate { credential { development loopback } }）"},
	{audit.ErrNoCheckpoint, http.StatusConflict, "还没有签发检查点：新记录在一分钟之内签发，请稍后再试"},
	{audit.ErrAhead, http.StatusConflict, "from 大于最新检查点的条数：请核对接收方所持检查点的条数（其第二行）；条数无误，就是日志被回滚或换过，请以 licgate audit verify --checkpoint 核对"},
	{audit.ErrNotCovered, http.StatusConflict, "这条记录还没有纳入检查点：一分钟之内纳入，请稍后再试"},
	{audit.ErrNoRecord, http.StatusNotFound, "本节点的审计记录中没有这个应答标识"},
	{audit.ErrIncomplete, http.StatusConflict, "不能完整导出：已有记录过期删除或损坏，或同时给出了检索条件"},
	{audit.ErrRetention, http.StatusUnprocessableEntity, "审计记录至少保存 180 天"},
	{audit.ErrClock, http.StatusConflict, "系统时间在最近 24 小时内跳变过，或网关停了一天以上，不能确定记录的年龄，没有删除任何记录。请核对系统时间；时间无误，网关再运行一天即可（见审计事件 time_jump）"},
	{audit.ErrUnavailable, http.StatusServiceUnavailable, "审计记录无法保存，操作未执行"},
}

// placed gives faults of a declaration's further policy lines their line in the file.
func placed(err error, declared *registry.Platform) error {
	var syntax policy.SyntaxErrors
	if at := declared.Line("policy"); at > 0 && errors.As(err, &syntax) {
		return adminError(http.StatusUnprocessableEntity, "%s", syntaxText("policy ", syntax, at))
	}
	return err
}

func syntaxText(what string, faults policy.SyntaxErrors, after int) string {
	var lines []string
	for _, f := range faults {
		lines = append(lines, fmt.Sprintf("第 %d 行 %s第 %d 列：%s", after+f.Line, what, f.Column, f.Message))
	}
	return strings.Join(lines, "\n")
}

// staleText shows what was changed meanwhile.
func staleText(e *staleError) string {
	text := fmt.Sprintf("版本 %d 已不是现行版本，现行版本为 %d。其间的变更：", e.base, e.head)
	for _, v := range e.since {
		text += fmt.Sprintf("\n版本 %d（%s）%s", v.Number, v.By, v.Why)
		var changes []registry.Change
		if json.Unmarshal(v.Changes, &changes) == nil {
			for _, c := range changes {
				text += "\n    " + c.String()
			}
		}
	}
	return text
}
