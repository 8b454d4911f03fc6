package redisstore

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"licgate/session"
)

// Insert implements session.Store.
func (s *Store) Insert(ctx context.Context, digest []byte, v session.Session) error {
	const doing = "inserting a session"
	d := hex.EncodeToString(digest)
	indexes := []string{s.indexKey("a", v.AppKey), s.indexKey("u", v.Account), s.indexKey("d", v.Department)}
	keys := append([]string{s.sessionKey(d), s.expiresKey(), s.seenKey()}, indexes...)
	// Relative to the session's own times: the clock of Redis may differ from the gateway's.
	life := max(v.Expires.Sub(v.Created), 0) + grace
	done, err := s.run(ctx, doing, insertScript, keys,
		d, life.Milliseconds(), micros(v.Expires), micros(v.LastSeen),
		"id", v.ID, "app_key", v.AppKey, "account", v.Account, "department", v.Department,
		"by_org_code", strconv.FormatBool(v.ByOrgCode), "address", v.Address, "created", micros(v.Created),
		"last_seen", micros(v.LastSeen), "expires", micros(v.Expires), "indexes", strings.Join(indexes, " "))
	if err != nil {
		return err
	}
	if done != int64(1) {
		return fmt.Errorf("redisstore: %s: %w", doing, errTaken)
	}
	return nil
}

// Find implements session.Store.
func (s *Store) Find(ctx context.Context, digest []byte) (session.Session, error) {
	fields, err := s.client.HGetAll(ctx, s.sessionKey(hex.EncodeToString(digest))).Result()
	if err != nil {
		return session.Session{}, fmt.Errorf("redisstore: finding a session: %w", err)
	}
	if len(fields) == 0 {
		return session.Session{}, session.ErrNoSession
	}
	v, err := decode(fields)
	if err != nil {
		return session.Session{}, fmt.Errorf("redisstore: reading a session: %w", err)
	}
	return v, nil
}

func decode(fields map[string]string) (session.Session, error) {
	v := session.Session{
		ID: fields["id"], AppKey: fields["app_key"], Account: fields["account"], Department: fields["department"],
		Address: fields["address"],
	}
	var err error
	if v.ByOrgCode, err = strconv.ParseBool(fields["by_org_code"]); err != nil {
		return session.Session{}, fmt.Errorf("%w: by_org_code", errCorrupt)
	}
	for name, t := range map[string]*time.Time{"created": &v.Created, "last_seen": &v.LastSeen, "expires": &v.Expires} {
		if *t, err = parseMicros(fields[name]); err != nil {
			return session.Session{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return v, nil
}

// Touch implements session.Store.
func (s *Store) Touch(ctx context.Context, digest []byte, seen time.Time) error {
	d := hex.EncodeToString(digest)
	done, err := s.run(ctx, "touching a session", touchScript, []string{s.sessionKey(d), s.seenKey()}, d, micros(seen))
	if err != nil {
		return err
	}
	if done != int64(1) {
		return session.ErrNoSession
	}
	return nil
}

// Delete implements session.Store.
func (s *Store) Delete(ctx context.Context, digest []byte) error {
	n, err := s.delete(ctx, "deleting a session", []string{hex.EncodeToString(digest)}, condition{})
	if err != nil {
		return err
	}
	if n == 0 {
		return session.ErrNoSession
	}
	return nil
}

// DeleteMatching implements session.Store. Sessions opened while it runs may or may not be among those removed.
func (s *Store) DeleteMatching(ctx context.Context, match session.Match) (int, error) {
	const doing = "deleting sessions"
	digests, err := s.selected(ctx, doing, match)
	if err != nil {
		return 0, err
	}
	return s.delete(ctx, doing, digests, condition{match: match})
}

// selected returns the digests of the sessions among which those are that match selects.
func (s *Store) selected(ctx context.Context, doing string, match session.Match) ([]string, error) {
	index := s.expiresKey() // holds all
	switch {
	case match.Account != "":
		index = s.indexKey("u", match.Account)
	case match.Department != "":
		index = s.indexKey("d", match.Department)
	case match.AppKey != "":
		index = s.indexKey("a", match.AppKey)
	}
	digests, err := s.client.ZRange(ctx, index, 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	return digests, nil
}

// List implements session.Store. It reads all that the narrowest index names, batch by batch: no index is by age, which
// every login would pay for.
func (s *Store) List(ctx context.Context, match session.Match, limit int) ([]session.Session, error) {
	const doing = "listing sessions"
	digests, err := s.selected(ctx, doing, match)
	if err != nil {
		return nil, err
	}
	var newest []session.Session
	for now := range slices.Chunk(digests, batch) {
		read, err := s.readAll(ctx, doing, now)
		if err != nil {
			return nil, err
		}
		for _, v := range read {
			if match.Selects(v) {
				newest = append(newest, v)
			}
		}
		if len(newest) > limit {
			newest = cut(newest, limit)
		}
	}
	return cut(newest, limit), nil
}

// cut sorts and keeps the newest.
func cut(all []session.Session, limit int) []session.Session {
	slices.SortFunc(all, session.Newest)
	return all[:min(len(all), max(limit, 0))]
}

// readAll returns the sessions of digests that are still there, in one round trip.
func (s *Store) readAll(ctx context.Context, doing string, digests []string) ([]session.Session, error) {
	answers := make([]*redis.MapStringStringCmd, len(digests))
	_, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, d := range digests {
			answers[i] = p.HGetAll(ctx, s.sessionKey(d))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("redisstore: %s: %w", doing, err)
	}
	var there []session.Session
	for _, answer := range answers {
		if len(answer.Val()) == 0 {
			continue
		}
		v, err := decode(answer.Val())
		if err != nil {
			return nil, fmt.Errorf("redisstore: %s: %w", doing, err)
		}
		there = append(there, v)
	}
	return there, nil
}

// Purge implements session.Store.
func (s *Store) Purge(ctx context.Context, t, idle time.Time) (int, error) {
	const doing = "purging sessions"
	total := 0
	for index, before := range map[string]time.Time{s.expiresKey(): t, s.seenKey(): idle} {
		digests, err := s.client.ZRangeArgs(ctx, redis.ZRangeArgs{
			Key: index, Start: "-inf", Stop: "(" + micros(before), ByScore: true,
		}).Result()
		if err != nil {
			return total, fmt.Errorf("redisstore: %s: %w", doing, err)
		}
		// The script asks for the times again: a session touched since is not idle any more.
		n, err := s.delete(ctx, doing, digests, condition{expires: micros(t), seen: micros(idle)})
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// A condition says which of the sessions named are to go; the zero one: all.
type condition struct {
	match         session.Match
	expires, seen string // either before, in microseconds; both empty: at any time
}

// delete removes the sessions of digests that meet the condition, batch by batch.
func (s *Store) delete(ctx context.Context, doing string, digests []string, c condition) (int, error) {
	total := 0
	for len(digests) > 0 {
		now := digests[:min(batch, len(digests))]
		digests = digests[len(now):]
		keys := []string{s.expiresKey(), s.seenKey()}
		args := []any{c.match.AppKey, c.match.Account, c.match.Department, c.expires, c.seen}
		for _, d := range now {
			keys = append(keys, s.sessionKey(d))
			args = append(args, d)
		}
		n, err := s.run(ctx, doing, deleteScript, keys, args...)
		if err != nil {
			return total, err
		}
		removed, ok := n.(int64)
		if !ok {
			return total, fmt.Errorf("redisstore: %s: %w", doing, errCorrupt)
		}
		total += int(removed)
	}
	return total, nil
}
