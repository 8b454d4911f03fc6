package caddymodule

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"licgate/gm"
	"licgate/licence"
	"licgate/policy"
	"licgate/registry"
	"licgate/store"
)

// Kinds of key jobs.
const (
	jobRotate          = "rotate"
	jobShredDepartment = "shred_department"
	jobShredLicence    = "shred_licence"
)

// Phases of a key job, in order.
const (
	phaseShred    = "shred"    // a department's keys are destroyed, or a licence's row is emptied
	phaseRotate   = "rotate"   // departments get their next keys
	phaseBury     = "bury"     // rows of shredded licences are emptied
	phaseLicences = "licences" // sealed anew
	phaseForms    = "forms"
	phaseRegistry = "registry" // identity numbers of accounts and administrators, as a policy version
	phaseChanges  = "changes"  // those of changes that wait for approval
	phaseDestroy  = "destroy"  // old keys
	phaseScrub    = "scrub"    // what was deleted goes from the database's files
)

const (
	// jobLease is for how long a process keeps a job that it does not report on: so late another one takes over.
	jobLease = 10 * time.Second
	// jobRounds is how often values are sealed anew when old keys are still in use afterwards: somebody wrote by an old state meanwhile.
	jobRounds = 3
	buryBatch = 100
)

// keyWorker does key jobs, one after another, as long as this configuration runs. What a process that died left is gone on with.
type keyWorker struct {
	app   *App
	owner string
	wake  chan struct{}
}

func newKeyWorker(a *App) *keyWorker {
	return &keyWorker{app: a, owner: a.Node + "/" + rand.Text(), wake: make(chan struct{}, 1)}
}

// hurry makes the worker look now.
func (w *keyWorker) hurry() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *keyWorker) run(ctx context.Context) {
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	for {
		jobs, err := w.app.gateway.store.OpenJobs(ctx)
		if err != nil && ctx.Err() == nil {
			w.app.logger.Error("the key jobs could not be read", zap.Error(err))
		}
		for _, j := range jobs {
			if !w.free(j) {
				continue
			}
			// One that fails does not hold up the others.
			if err := w.work(ctx, j); err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrJobTaken) {
				w.app.logger.Error("a key job does not go on; it is tried again", zap.Error(err))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		case <-w.wake:
		}
	}
}

// free reports whether there is something to do that nobody else does.
func (w *keyWorker) free(j store.KeyJob) bool {
	now := time.Now()
	if j.State == store.JobWaiting && now.Before(j.NotBefore) {
		return false
	}
	return j.Owner == w.owner || now.After(j.Lease)
}

// save keeps the job, and the job for this process.
func (w *keyWorker) save(ctx context.Context, j *store.KeyJob) (err error) {
	j.Owner, j.Changed = w.owner, time.Now()
	j.Lease = j.Changed.Add(jobLease)
	*j, err = w.app.gateway.store.SaveJob(ctx, *j)
	return err
}

// work does a job to its end, or as far as it goes now.
func (w *keyWorker) work(ctx context.Context, j store.KeyJob) error {
	j.State = store.JobRunning
	if err := w.save(ctx, &j); err != nil {
		return err
	}
	for j.State == store.JobRunning {
		next, err := w.phase(ctx, &j)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, store.ErrJobTaken) {
				j.Error = err.Error()
				err = errors.Join(err, w.save(ctx, &j))
			}
			return fmt.Errorf("key job %d, %s: %w", j.Number, j.Phase, err)
		}
		if j.State != store.JobFailed {
			j.Error = ""
		}
		if next != j.Phase {
			j.Phase, j.Progress = next, gm.Progress{}
		}
		if err := w.save(ctx, &j); err != nil {
			return err
		}
	}
	if j.State == store.JobWaiting {
		return nil
	}
	outcome := "完成"
	if j.State == store.JobFailed {
		outcome = "失败"
	}
	detail := fmt.Sprintf("密钥任务 %d %s：重新加密 %d 项，无法打开 %d 项，清除 %d 份证照，销毁密钥 %d 个，保留旧密钥 %d 个",
		j.Number, outcome, j.Resealed, j.Refused, j.Buried, j.Destroyed, j.Kept)
	w.app.logger.Info("a key job is over", zap.Int64("job", j.Number), zap.String("kind", j.Kind), zap.String("state", j.State),
		zap.Int64("resealed", j.Resealed), zap.Int64("refused", j.Refused), zap.Int("destroyed", j.Destroyed), zap.Int("kept", j.Kept))
	return w.app.event("keys", detail)
}

// phase does the phase that the job is in, and returns the next one. It may change the job's State.
func (w *keyWorker) phase(ctx context.Context, j *store.KeyJob) (string, error) {
	g := w.app.gateway
	switch j.Phase {
	case phaseShred:
		return w.shredded(ctx, j)
	case phaseRotate:
		return phaseLicences, w.rotate(ctx, j)
	case phaseBury:
		return phaseScrub, w.bury(ctx, j)
	case phaseLicences:
		if err := w.reseal(ctx, j, g.store.LicenceValues(j.Department)); err != nil {
			return "", err
		}
		if j.Department != "" {
			return phaseDestroy, nil
		}
		return phaseForms, nil
	case phaseForms:
		return phaseRegistry, w.reseal(ctx, j, g.store.FormValues(formContext))
	case phaseRegistry:
		return phaseChanges, w.resealRegistry(ctx, j)
	case phaseChanges:
		return phaseDestroy, w.resealChanges(ctx, j)
	case phaseDestroy:
		return w.destroy(ctx, j)
	case phaseScrub:
		return phaseScrub, w.scrub(ctx, j)
	}
	return "", fmt.Errorf("no phase %q", j.Phase)
}

// errReopened says that a department got new keys while it was being shredded.
var errReopened = errors.New("the department has newer keys than the job that shreds it")

// shred makes unreadable what the job is about. Done again, it does what is left.
func (w *keyWorker) shred(ctx context.Context, j *store.KeyJob) error {
	g := w.app.gateway
	if j.Kind == jobShredLicence {
		err := g.store.BuryLicence(ctx, j.Licence)
		if errors.Is(err, licence.ErrNotFound) {
			return nil
		}
		return err
	}
	keys, err := w.scope(ctx, j)
	if err != nil {
		return err
	}
	left, newer := len(keys) == 0, false // without keys, Shred says so
	var own []gm.KeyID
	for _, k := range keys {
		own = append(own, k.ID)
		if k.Destroyed.IsZero() {
			left, newer = true, newer || k.Created.After(j.Started)
		}
	}
	switch {
	case !left:
		return nil
	case newer:
		return errReopened
	}
	return g.keys.Shred(ctx, j.Department, func(ctx context.Context) (bool, error) { return g.store.SealedElsewhere(ctx, j.Department, own) })
}

// shredded makes sure of it, for the worker.
func (w *keyWorker) shredded(ctx context.Context, j *store.KeyJob) (string, error) {
	err := w.shred(ctx, j)
	if shredFailure(err, j.Department) != nil {
		j.State, j.Error = store.JobFailed, err.Error()
		return phaseShred, nil
	}
	if err != nil {
		return "", err
	}
	j.Licence = "" // not before it is gone: the job is kept after a failure too
	if j.Kind == jobShredDepartment {
		return phaseBury, nil
	}
	return phaseRotate, nil
}

// rotate gives each department of the job its next key. One that has had it since the job began gets no other: so a job that is begun again, or
// whose half failed, makes no more keys than one that went through. A department that was shredded is opened again only by its name.
func (w *keyWorker) rotate(ctx context.Context, j *store.KeyJob) error {
	keys, err := w.scope(ctx, j)
	if err != nil {
		return err
	}
	newest := make(map[string]gm.KeyStatus)
	if j.Department != "" {
		newest[j.Department] = gm.KeyStatus{} // it may have none yet
	}
	for _, k := range keys { // by generation
		newest[k.Department] = k
	}
	for department, k := range newest {
		if k.State == gm.KeyDestroyed && j.Department == "" || k.Created.After(j.Started) {
			continue
		}
		if _, rotated := w.app.gateway.keys.Rotate(ctx, department); rotated != nil {
			err = errors.Join(err, fmt.Errorf("department %q: %w", department, rotated))
		}
	}
	return err
}

// reseal goes on with the values of one place. Each batch is stored before its progress is.
func (w *keyWorker) reseal(ctx context.Context, j *store.KeyJob, values gm.Values) error {
	before := j.Progress
	r := gm.Resealing{
		Keys: w.app.gateway.keys, Values: values, Batch: 100,
		Report: func(p gm.Progress) error {
			j.Resealed += p.Resealed - before.Resealed
			j.Refused += p.Refused - before.Refused
			before, j.Progress = p, p
			return w.save(ctx, j)
		},
		Refused: func(row string, err error) {
			if j.Phase == phaseLicences {
				row = w.app.gateway.auditHash("licence", row)
			}
			w.app.logger.Error("a stored value does not open; it was left as it is: licgate doctor --integrity names its row",
				zap.Int64("job", j.Number), zap.String("row", row))
		},
	}
	_, err := r.Run(ctx, j.Progress)
	return err
}

// resealIdentity is registry.Reseal. What does not open any more is left as it is.
func (w *keyWorker) resealIdentity(j *store.KeyJob) registry.Reseal {
	return func(context string, sealed []byte) ([]byte, bool, error) {
		fresh, changed, err := w.app.gateway.keys.Reseal("", sealed, identityContext(context))
		if errors.Is(err, gm.ErrSealed) || errors.Is(err, gm.ErrShredded) || errors.Is(err, gm.ErrKeyUnknown) || errors.Is(err, gm.ErrKeyRecord) {
			j.Refused++
			w.app.logger.Error("a sealed identity number does not open; it was left as it is", zap.Int64("job", j.Number), zap.Error(err))
			return sealed, false, nil
		}
		return fresh, changed, err
	}
}

// resealRegistry seals the identity numbers of accounts and administrators anew. It is a policy version that changes nothing else: so nobody
// writes old values back who read the registry before, and all nodes learn of it.
func (w *keyWorker) resealRegistry(ctx context.Context, j *store.KeyJob) error {
	for {
		err := w.tryRegistry(ctx, j)
		if !errors.Is(err, policy.ErrStale) {
			return err
		}
	}
}

func (w *keyWorker) tryRegistry(ctx context.Context, j *store.KeyJob) error {
	a, g := w.app, w.app.gateway
	if err := g.change.take(ctx); err != nil {
		return err
	}
	defer g.change.give()
	current, number, err := g.store.LoadPlatform(ctx)
	if err != nil || number == 0 {
		return err
	}
	head, err := g.store.Policies().Head(ctx)
	if err != nil {
		return err
	}
	if head.Number != number {
		return policy.ErrStale
	}
	next, n, err := registry.ResealPlatform(current, w.resealIdentity(j))
	if err != nil || n == 0 {
		return err
	}
	p := &plannedChange{
		Planned: &registry.Planned{Next: next, Changes: []registry.Change{}}, declared: next, current: current, head: head, lines: head.Lines, now: time.Now(),
	}
	if p.state, err = g.newState(number+1, next, head.Lines); err != nil {
		return err
	}
	how := change{by: administrator{name: j.By}, why: fmt.Sprintf("密钥任务 %d：重新加密账户与管理员的证件号码", j.Number)}
	if err := a.enforce(ctx, p, how, new(applied)); err != nil {
		return err
	}
	j.Resealed += int64(n)
	return nil
}

// resealChanges does so in the changes that wait for approval.
func (w *keyWorker) resealChanges(ctx context.Context, j *store.KeyJob) error {
	s := w.app.gateway.store
	open, err := s.Pendings().ListPending(ctx, registry.PendingOpen, 10_000)
	if err != nil {
		return err
	}
	for _, p := range open {
		if p, err = s.Pendings().GetPending(ctx, p.ID); err != nil {
			return err
		}
		fresh, n, err := registry.ResealDeclaration(p.Declaration, w.resealIdentity(j))
		if err != nil {
			return fmt.Errorf("pending change %d: %w", p.ID, err)
		}
		if n == 0 {
			continue
		}
		err = s.SwapDeclaration(ctx, p.ID, p.Declaration, fresh)
		if errors.Is(err, registry.ErrDecided) {
			continue // meanwhile: nobody opens it again
		}
		if err != nil {
			return err
		}
		j.Resealed += int64(n)
	}
	return nil
}

// scope are the keys that a job is about.
func (w *keyWorker) scope(ctx context.Context, j *store.KeyJob) ([]gm.KeyStatus, error) {
	status, err := w.app.gateway.keys.Status(ctx)
	if err != nil {
		return nil, err
	}
	var keys []gm.KeyStatus
	for _, k := range status.Keys {
		if j.Department == "" || k.Department == j.Department {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

// destroy destroys the old keys that nothing needs, as soon as no node can seal by them any more.
func (w *keyWorker) destroy(ctx context.Context, j *store.KeyJob) (string, error) {
	keys, err := w.scope(ctx, j)
	if err != nil {
		return "", err
	}
	grace := w.app.keyGrace()
	j.NotBefore, j.Kept = time.Time{}, 0
	for _, k := range keys {
		if until := k.Retired.Add(grace); k.State == gm.KeyRetired && !k.Damaged && until.After(j.NotBefore) {
			j.NotBefore = until
		}
	}
	if time.Now().Before(j.NotBefore) {
		j.State = store.JobWaiting
		return phaseDestroy, nil
	}
	for _, k := range keys {
		if k.State != gm.KeyRetired || k.Damaged {
			continue
		}
		err := w.app.gateway.keys.Destroy(ctx, k.ID, w.app.gateway.store.KeyUsed)
		switch {
		case err == nil:
			j.Destroyed++
		case errors.Is(err, gm.ErrKeyInUse):
			j.Kept++
		default:
			return "", err
		}
	}
	if j.Rounds++; j.Kept > 0 && j.Rounds < jobRounds {
		return phaseLicences, nil
	}
	return phaseScrub, nil
}

// scrub ends a job. A licence whose old key had to stay is not shredded: copies of it in backups still open.
func (w *keyWorker) scrub(ctx context.Context, j *store.KeyJob) error {
	if err := w.app.gateway.store.Scrub(ctx); err != nil {
		return err
	}
	j.State = store.JobDone
	if j.Kind == jobShredLicence && j.Kept > 0 {
		j.State = store.JobFailed
	}
	return nil
}

// bury empties the rows of licences that were shredded with their department.
func (w *keyWorker) bury(ctx context.Context, j *store.KeyJob) error {
	keys, err := w.scope(ctx, j)
	if err != nil {
		return err
	}
	for _, k := range keys {
		for k.Shredded {
			n, err := w.app.gateway.store.Bury(ctx, k.ID, buryBatch)
			if err != nil {
				return err
			}
			if n == 0 {
				break
			}
			j.Buried += int64(n)
			j.Progress.Seen += int64(n)
			if err := w.save(ctx, j); err != nil {
				return err
			}
		}
	}
	return nil
}
