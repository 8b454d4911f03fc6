// Package store keeps licences, codes, sessions, policy versions, the registry, its locks, pending changes and forms in SQL: one
// implementation for SQLite (the embedded default) and PostgreSQL 15, the same statements for both.
//
// Every rule that must hold between concurrent writers is held by the database itself: unique indexes, a revision
// or state compared in the UPDATE, one statement that counts. So READ COMMITTED is enough, and two gateways may share a database.
package store
