package redisstore

import "github.com/redis/go-redis/v9"

// Every change runs as one script, which Redis executes alone. Times are microseconds since 1970 as decimal strings:
// Lua computes with doubles, which hold them exactly, but would print them rounded.

// insertScript keeps a session and enters it in its indexes, unless its key is taken (0). An index is a sorted set of
// digests by the time, on the clock of Redis, at which the key of the session vanishes: what vanished is dropped here.
//
// KEYS: session, expires, seen, then the indexes. ARGV: digest, lifetime of the key in ms, expires, seen, then the
// fields and values of the hash.
var insertScript = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local gone = string.format('%.0f', now + ARGV[2])
for i = 4, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('(%.0f', now))
  redis.call('ZADD', KEYS[i], gone, ARGV[1])
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return 1
`)

// touchScript moves the last use forward (0: no such session).
//
// KEYS: session, seen. ARGV: digest, time.
var touchScript = redis.NewScript(`
local seen = redis.call('HGET', KEYS[1], 'last_seen')
if not seen then return 0 end
if tonumber(ARGV[2]) > tonumber(seen) then
  redis.call('HSET', KEYS[1], 'last_seen', ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
end
return 1
`)

// deleteScript removes those sessions that are there and fit, and returns how many. An index entry whose session has
// vanished goes too. The names of index keys come with the session (field "indexes"), parted by blanks.
//
// KEYS: expires, seen, then the sessions. ARGV: application, account, department (empty: any), expires before, seen
// before (both empty: at any time), then the digests, in the order of the sessions.
var deleteScript = redis.NewScript(`
local n = 0
for i = 3, #KEYS do
  local digest = ARGV[i + 3]
  local s = redis.call('HMGET', KEYS[i], 'app_key', 'account', 'department', 'expires', 'last_seen', 'indexes')
  if not s[1] then
    redis.call('ZREM', KEYS[1], digest)
    redis.call('ZREM', KEYS[2], digest)
  elseif (ARGV[1] == '' or ARGV[1] == s[1]) and (ARGV[2] == '' or ARGV[2] == s[2]) and (ARGV[3] == '' or ARGV[3] == s[3])
    and (ARGV[4] == '' or tonumber(s[4]) < tonumber(ARGV[4]) or tonumber(s[5]) < tonumber(ARGV[5])) then
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], digest)
    redis.call('ZREM', KEYS[2], digest)
    for index in string.gmatch(s[6], '%S+') do redis.call('ZREM', index, digest) end
    n = n + 1
  end
end
return n
`)

// failScript counts one failure and returns failures, locks and until.
//
// KEYS: attempt. ARGV: now, threshold, base, max (µs), lifetime of the key in ms beyond a lock.
var failScript = redis.NewScript(`
local a = redis.call('HMGET', KEYS[1], 'failures', 'locks', 'until')
local failures, locks, till = (tonumber(a[1]) or 0) + 1, tonumber(a[2]) or 0, a[3] or '0'
local now = tonumber(ARGV[1])
if failures >= tonumber(ARGV[2]) then
  failures, locks = 0, locks + 1
  till = string.format('%.0f', now + math.min(ARGV[3] * 2 ^ (locks - 1), tonumber(ARGV[4])))
end
redis.call('HSET', KEYS[1], 'failures', failures, 'locks', locks, 'until', till)
local life = tonumber(ARGV[5]) + math.max(0, math.ceil((tonumber(till) - now) / 1000))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', life))
return {failures, locks, till}
`)
