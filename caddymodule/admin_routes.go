package caddymodule

import (
	"net/http"
	"sync"

	"licgate/audit"
	"licgate/audit/evidence"
)

// adminRoutes are all calls of the admin API, by power. Paths are laid out so that Caddy's remote admin endpoint can hold an identity to
// a power by path prefix.
var adminRoutes = sync.OnceValue(func() []*adminRoute {
	const get, post = http.MethodGet, http.MethodPost
	return []*adminRoute{
		on(get, "status", powerNone, "各部分的健康状况", (*adminCall).status).without(),
		on(get, "openapi.json", powerNone, "本接口的 OpenAPI 描述", (*adminCall).openapi).without(),

		// who is who
		on(post, "administrators/login", powerNone, "管理员登录", (*adminCall).login),
		on(post, "administrators/logout", powerNone, "管理员退出登录", (*adminCall).logout),
		on(get, "administrators/me", powerNone, "当前以谁的身份操作", (*adminCall).self).without(),
		on(post, "administrators/password", powerNone, "管理员更换本人口令", (*adminCall).changePassword),
		on(get, "administrators", powerAny, "列出管理员", (*adminCall).administrators),
		on(post, "administrators/{administrator}/{action}", powerSecurity, "停用、启用管理员，或重置其口令（disable、enable、reset-password）", (*adminCall).changeAdministrator),

		// registry
		on(post, "registry/apply", powerSecurity, "声明平台（platform.yaml）", (*adminCall).apply),
		on(get, "registry/export", powerSecurity, "导出现行声明（platform.yaml，不含密钥与口令）", (*adminCall).export).answers(""),
		on(get, "registry/applications", powerSecurity, "列出应用", (*adminCall).applications),
		on(post, "registry/applications/{app_key}/{action}", powerSecurity, "停用、启用应用，重置或轮换其密钥（disable、enable、reset-secret、rotate-secret）", (*adminCall).changeApplication),
		on(get, "registry/accounts", powerSecurity, "列出账户", (*adminCall).accounts),
		on(post, "registry/accounts/{account}/{action}", powerSecurity, "停用、启用账户，或重置其口令（disable、enable、reset-password）", (*adminCall).changeAccount),

		// policy
		on(post, "policy/explain", powerSecurity, "解释一次判定", (*adminCall).explain),
		on(post, "policy/who", powerSecurity, "谁可以调用某接口、看到某数据项明文", (*adminCall).whoMay),
		on(post, "policy/plan", powerSecurity, "预演一份声明：得失与重放", (*adminCall).rehearse),
		on(post, "policy/test", powerSecurity, "检查命名判定", (*adminCall).test),
		on(post, "policy/rollback", powerSecurity, "恢复到某个版本的声明，作为新版本", (*adminCall).rollback),
		on(get, "policy/verify", powerAny, "校验策略版本链", (*adminCall).verifyChain),
		on(get, "policy/versions", powerSecurity, "策略版本历史，新的在前", (*adminCall).history),
		on(get, "policy/versions/{number}", powerSecurity, "一个策略版本", (*adminCall).version).answers(versionRow{}),
		on(get, "policy/versions/{number}/diff", powerSecurity, "一个版本与另一个（默认现行）版本相比的得失", (*adminCall).diff),
		on(get, "policy/pending", powerAny, "待批变更：系统管理员、审计管理员只看到仅涉及管理员的", (*adminCall).pendings),
		on(get, "policy/pending/{id}", powerAny, "一项待批变更", (*adminCall).pending),
		on(post, "policy/pending/{id}/approve", powerAny, "批准一项变更；系统管理员、审计管理员可以批准仅涉及管理员的", (*adminCall).approve),
		on(post, "policy/pending/{id}/reject", powerAny, "驳回或撤回一项变更", (*adminCall).reject),

		// onboarding
		on(post, "onboarding", powerSecurity, "提交接入申请表（附录 A）", (*adminCall).onboard),
		on(get, "onboarding", powerSecurity, "列出接入申请表", (*adminCall).forms),
		on(get, "onboarding/{number}", powerSecurity, "一份接入申请表及其结果", (*adminCall).form),

		// locks and sessions
		on(get, "locks", powerSecurity, "列出锁定", (*adminCall).listLocks),
		on(post, "locks", powerSecurity, "锁定应用、账户、部门、目录或地址，并立即结束会话", (*adminCall).putLock),
		on(post, "locks/remove", powerSecurity, "解除锁定，并清除账户或地址的登录失败", (*adminCall).removeLock),
		on(get, "sessions", powerSecurity, "列出会话", (*adminCall).listSessions),
		on(post, "sessions/end", powerSecurity, "结束会话", (*adminCall).endSessions),
		on(post, "credential", powerSecurity, "签发开发用实名凭据", (*adminCall).credential),

		on(post, "licences/standing", powerAny, "一份证照现在是否有效，供核验归档文件", (*adminCall).standing),
		on(post, "check", powerAny, "核验证照的二维码，所答与公开的核验页面相同", (*adminCall).check),

		// keys
		on(get, "keys", powerAny, "数据密钥、签章密钥与密钥任务的状态", (*adminCall).keys),
		on(get, "keys/jobs/{number}", powerAny, "一项密钥任务的进度", (*adminCall).keyJob).without(),
		on(post, "keys/rotate", powerSystem, "轮换数据密钥，并在后台重新加密", (*adminCall).rotateKeys),
		on(post, "keys/rewrap", powerSystem, "以现行主密钥重新加密数据密钥，以及本节点的根密钥与签章密钥", (*adminCall).rewrapKeys),
		on(post, "keys/shred", powerSecurity, "粉碎一个部门的全部证照，或一份证照，使其（连同备份）永不可解", (*adminCall).shredKeys),
		on(post, "keys/jobs/{number}/approve", powerSecurity, "批准一项粉碎，立即执行；提交人不能批准自己的", (*adminCall).approveJob),
		on(post, "keys/jobs/{number}/reject", powerSecurity, "驳回一项待批的粉碎（提交人可以此撤回）", (*adminCall).rejectJob),

		on(get, "integrity", powerAny, "核对每份证照、每个策略版本与登记的校验码，每行一条 JSON", (*adminCall).integrity).answers(integrityLine{}),

		// audit
		on(get, "audit/records", powerAudit, "本节点的审计记录，每行一条 JSON", (*adminCall).records).answers(audit.Record{}),
		on(post, "audit/search", powerAudit, "检索审计记录；可按持证人证件号码或证照编码", (*adminCall).searchAudit).answers(audit.Record{}),
		on(post, "audit/export", powerAudit, "导出审计记录，每条附包含证明，供第三方以 licgate-verify 核对", (*adminCall).exportAudit).answers(evidence.Entry{}),
		on(get, "audit/prove/{response_id}", powerAudit, "证明一次请求留下了什么记录", (*adminCall).proveRecord).answers(evidence.Entry{}),
		on(get, "audit/tail", powerAudit, "跟踪新的审计记录", (*adminCall).tailAudit).answers(audit.Record{}),
		on(get, "audit/verify", powerAudit, "校验本节点的审计记录", (*adminCall).verifyAudit),
		on(post, "audit/verify", powerAudit, "以留在别处的密钥与检查点校验本节点的审计记录", (*adminCall).verifyWith).answers(auditReport{}),
		on(get, "audit/checkpoint", powerAudit, "最新的已签检查点、验证密钥与各存证、外送的状态", (*adminCall).checkpoint),
		on(get, "audit/keys", powerAudit, "验证检查点的密钥，以及本网关作为见证方的验证密钥（首个检查点之前即有）", (*adminCall).auditKeys),
		on(post, "audit/retire", powerAudit, "删除已过保存期的记录（至少 180 天），哈希保留", (*adminCall).retireAudit),
	}
})
