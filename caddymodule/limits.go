package caddymodule

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ulule/limiter/v3"
	"github.com/ulule/limiter/v3/drivers/store/memory"
	redislimiter "github.com/ulule/limiter/v3/drivers/store/redis"
)

// limits counts requests, in memory or in Redis. When Redis does not answer it says so (down) and, for known
// applications, counts locally.
type limits struct {
	local  limiter.Store
	client *redis.Client // nil: memory
	mu     sync.Mutex
	remote limiter.Store // made at first use, since making it needs Redis
	down   atomic.Bool
}

// redisPatience bounds what a request waits for Redis before the local limit takes over.
const redisPatience = 500 * time.Millisecond

func openLimits(where string) (*limits, error) {
	l := &limits{local: memory.NewStore()}
	if where == "memory" {
		return l, nil
	}
	o, err := redis.ParseURL(where)
	if err != nil {
		// The address may hold a password: the parser's text is not repeated.
		return nil, fmt.Errorf(`limits: allowed are "memory" and a redis:// address`)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.MaxRetries = redisPatience, redisPatience, redisPatience, 0
	redis.SetLogger(silent{}) // it would write to standard error; the state stands in health and metrics
	l.client = redis.NewClient(o)
	return l, nil
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func (l *limits) close() error {
	if l.client == nil {
		return nil
	}
	return l.client.Close()
}

// redis returns the shared counter.
func (l *limits) redis() (limiter.Store, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.remote == nil {
		s, err := redislimiter.NewStoreWithOptions(l.client, limiter.StoreOptions{Prefix: "licgate:limit"})
		if err != nil {
			return nil, err
		}
		l.remote = s
	}
	return l.remote, nil
}

// window is a quota over a period.
type window struct {
	name   string
	quota  int64
	period time.Duration
}

// counted is where a caller stands in one window.
type counted struct {
	window
	remaining int64
	reset     time.Time
	reached   bool
}

// errLimiterDown says that nobody counts and the caller has no right to the local fallback.
var errLimiterDown = fmt.Errorf("limits: the shared counter does not answer")

// count takes one request of key from every window. The local counter serves when there is no Redis, or when it is
// down and fallback is allowed.
func (l *limits) count(ctx context.Context, key string, windows []window, fallback bool) ([]counted, error) {
	if l.client != nil {
		if s, err := l.redis(); err == nil {
			if out, err := takeOne(ctx, s, key, windows); err == nil {
				l.down.Store(false)
				return out, nil
			}
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		l.down.Store(true)
		if !fallback {
			return nil, errLimiterDown
		}
	}
	return takeOne(ctx, l.local, key, windows)
}

func takeOne(ctx context.Context, s limiter.Store, key string, windows []window) ([]counted, error) {
	out := make([]counted, 0, len(windows))
	for _, w := range windows {
		c, err := s.Get(ctx, key+":"+w.name, limiter.Rate{Period: w.period, Limit: w.quota})
		if err != nil {
			return nil, err
		}
		out = append(out, counted{window: w, remaining: c.Remaining, reset: time.Unix(c.Reset, 0), reached: c.Reached})
	}
	return out, nil
}

// ping reports whether the shared counter answers.
func (l *limits) ping(ctx context.Context) error {
	if l.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, redisPatience)
	defer cancel()
	err := l.client.Ping(ctx).Err()
	l.down.Store(err != nil)
	return err
}
