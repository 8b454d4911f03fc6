package audit

import "time"

// Stats are figures for health and metrics. Counters begin when the journal is opened.
type Stats struct {
	Records  uint64 // on disk
	Bytes    uint64 // of their frames
	Groups   uint64 // writes, each with one sync
	Refused  uint64 // records whose callers got ErrUnavailable
	Failures uint64 // groups that failed
	Lost     uint64 // records of BestEffort that were dropped
	Waiting  int    // records handed in and not yet on disk
	Owed     int    // of these, records whose callers did not wait
	Sequence uint64 // of the last record on disk

	// TreeSize is what the newest checkpoint covers, TreeTime when it was made. TreeFault is why the last attempt to follow
	// the journal or to make a checkpoint failed; records are kept all the same.
	TreeSize  uint64
	TreeTime  time.Time
	TreeFault error
	// TreeLag is since when there are records that no checkpoint covers; 0: there are none.
	TreeLag time.Duration
	// TidyFault is why the last attempt to pack sealed segments, or to delete those past retention, failed.
	TidyFault error

	// Written is the time spent in writes and syncs; LastWrite is that of the last group.
	Written, LastWrite time.Duration
}

func (s *Stats) count(g *group, err error, took time.Duration) {
	s.Written += took
	s.LastWrite = took
	if err != nil {
		s.Failures++
		for _, b := range g.batches {
			s.Refused += uint64(len(b.records) - b.owed)
		}
		return
	}
	if len(g.leaves) > 0 {
		s.Groups++
		s.Records += uint64(len(g.leaves))
		s.Bytes += uint64(len(g.frames))
	}
}

// Stats returns the figures of now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Waiting, s.Owed, s.Sequence = int(j.waiting.Load()), j.owed, j.confirmed.sequence
	j.keeper.mu.Lock()
	defer j.keeper.mu.Unlock()
	s.TidyFault = j.keeper.fault
	if n := j.notary; n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		s.TreeFault = n.fault
		if n.signed != nil {
			s.TreeSize, s.TreeTime = n.signed.Size, n.signed.Time
		}
		if n.waiting {
			s.TreeLag = j.mono() - n.begun
		}
	}
	return s
}
