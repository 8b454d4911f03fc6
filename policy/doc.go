// Package policy decides. Its language is Casbin's: request sub, dom, obj, act, mat; policy lines p, role lines g
// (subject, role, department), item groups g2, department inheritance g3. Deny overrides; nothing matches → no.
// A call is allowed when the application's grants, the account's role and, for function calls, the service
// item's licence list each allow it in the caller's department (docs/architecture.md).
//
// A p line covers a request when all five members do:
//
//	sub  the same subject, or a role that the subject holds, by g lines, in exactly the request's department
//	dom  "*", the request's department, or one above it by g3 lines
//	obj  the same object, one above it by g2 lines, or "*"; an allowing "*" does not reach fields (ITEM#FIELD)
//	act  the interface itself, or a need of the form that includes it; an allowing "*" covers interfaces only,
//	     a denying "*" covers clear and org_admin too. issue, abolish and archive name both a need and an
//	     interface: they mean the need; call:issue, call:abolish, call:archive mean the interface alone
//	mat  "*", or the request's service item
//
// Wildcards allow less than they deny, so that what lets identity data out in clear is always named.
// Of the covering lines the first deny decides, else the first allow.
//
// Casbin says what lines mean; it does not answer requests. Compile makes of each version an index that gives Casbin's every answer and
// deciding line, at a cost that does not grow with the lines and without memory (Decider.Judge). Reference asks Casbin itself: tests
// hold the index to it, and Shadow does so on a running gateway. A version never changes; a change is a new Decider, swapped by pointer.
//
// Administrators change lines at run time. Explain and ExplainClear say why an answer is what it is and what would have changed it, Differ
// what a change gives and takes, Who holds a right and Since when; Expectations are decisions that every version must give. None of
// these stands in a request's way: they read all lines, which takes a tenth of a second for 10⁵.
package policy
