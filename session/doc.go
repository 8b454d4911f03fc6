// Package session knows who is calling: login, tokens, lockout, idle and absolute expiry (standard 5.4.4, table 1–3),
// and the real-name credential of a holder (table 13). It refuses nobody but at login; it says who asks.
package session
