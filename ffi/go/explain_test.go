package peerguard

import (
	"testing"
	"time"
)

func TestAnUnknownPeerIsExplainedWithoutARecord(t *testing.T) {
	guard := newGuard(t, func(c *Config) { c.UploadLimit = 5000 })
	why := must(guard.Explain(id(1)))(t)
	if why.Peer != id(1) || why.Verdict != nil || why.Spared != nil || why.View != nil || why.Events != nil {
		t.Fatalf("%+v", why)
	}
	if why.Score != (ScoreParts{Score: 50, Initial: 50}) {
		t.Fatalf("%+v", why.Score)
	}
	if why.GlobalUpload != (Bucket{5000, 5000, 5000}) || why.GlobalDownload != (Bucket{}) || why.PeerUpload != (Bucket{}) {
		t.Fatalf("%+v", why)
	}
	if _, known, err := guard.View(id(1)); known || err != nil {
		t.Fatal("a record was made: ", err)
	}
}

func TestABannedPeerIsExplained(t *testing.T) {
	guard := newGuard(t, nil)
	if err := guard.Ban(id(1), Forever, 42); err != nil {
		t.Fatal(err)
	}
	why := must(guard.Explain(id(1)))(t)
	if *why.Verdict != (Refusal{Banned, Forever}) || why.Spared != nil {
		t.Fatalf("%+v", why.Verdict)
	}
	if ban := why.View.Ban; *ban != (Ban{ByOperator: true, Code: 42, Remaining: Forever}) || why.View.Tier != TierBanned {
		t.Fatalf("%+v", why.View)
	}
	if len(why.Events) != 1 || why.Events[0].Kind != EventBanned || why.Events[0].Peer != id(1) {
		t.Fatalf("%+v", why.Events)
	}
	must(guard.Report(id(2), Result{Outcome: Fatal}))(t)
	why = must(guard.Explain(id(2)))(t)
	if why.Verdict.Reason != Banned || why.Verdict.RetryAfter <= 0 || why.Verdict.RetryAfter > time.Hour+time.Second ||
		why.View.Ban.ByOperator || !why.View.Ban.Fatal || why.View.Offences != 1 {
		t.Fatalf("%+v", why)
	}
	if totals := must(guard.Snapshot())(t).Totals; totals.Denied(Banned) != 0 {
		t.Fatal("an explanation was counted as a refusal")
	}
}

func TestAPeerWithLimitsIsExplained(t *testing.T) {
	guard := newGuard(t, func(c *Config) {
		c.PerPeerUploadLimit = 1000
		c.DownloadLimit = 1 << 20
		// A burst is what the rate gives in 100 s: what is taken is not back at once.
		c.RefillInterval = 10 * time.Second
	})
	const burst = 100 << 20
	if err := guard.SetPeerLimits(id(1), 1<<20, Inherit); err != nil {
		t.Fatal(err)
	}
	if !must(guard.TryUpload(id(1), burst/2))(t) || !must(guard.TryDownload(id(1), burst/2))(t) {
		t.Fatal("not taken")
	}
	why := must(guard.Explain(id(1)))(t)
	for _, half := range []Bucket{why.PeerUpload, why.GlobalDownload} {
		if half.Rate != 1<<20 || half.Burst != burst || half.Available < burst*4/10 || half.Available > burst*6/10 {
			t.Fatalf("%+v", why)
		}
	}
	if why.PeerDownload != (Bucket{}) || why.GlobalUpload != (Bucket{}) {
		t.Fatalf("%+v", why)
	}
	if view := why.View; view.UploadLimit != 1<<20 || view.DownloadLimit != Inherit || view.BytesSent != burst/2 {
		t.Fatalf("%+v", view)
	}
	// Another peer has the limits of all.
	if other := must(guard.Explain(id(2)))(t); other.PeerUpload != (Bucket{1000, 100_000, 100_000}) {
		t.Fatalf("%+v", other)
	}
}

func TestAnOpenBreakerAndAnObservedPeerAreExplained(t *testing.T) {
	guard := newGuard(t, nil)
	must(guard.Report(id(1), Result{Outcome: SyncSuccess, Latency: time.Millisecond}))(t)
	trip(t, guard, id(1))
	why := must(guard.Explain(id(1)))(t)
	wait := why.Verdict.RetryAfter
	if why.Verdict.Reason != Open || wait <= 0 || wait > 31*time.Second || why.View.OpenRemaining != wait {
		t.Fatalf("%+v", why)
	}
	if why.View.State != StateOpen || why.View.Generation != 1 || why.View.Timeouts != 5 {
		t.Fatalf("%+v", why.View)
	}
	if score := why.Score; score.Score != score.Initial+score.Remembered || score.Remembered > -2.9 || score.LatencyBonus != 1 {
		t.Fatalf("%+v", score)
	}
	if err := guard.Force(id(1), ForceObserving); err != nil {
		t.Fatal(err)
	}
	why = must(guard.Explain(id(1)))(t)
	if why.Verdict != nil || why.Spared.Reason != Open || why.View.Forced != ForceObserving {
		t.Fatalf("%+v", why)
	}
	if kinds := why.Events; len(kinds) != 2 || kinds[0].Kind != EventForced || kinds[0].Detail != uint32(ForceObserving) {
		t.Fatalf("%+v", kinds)
	}
	if err := guard.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := guard.Explain(id(1))
	is(t, err, ErrClosed)
}
