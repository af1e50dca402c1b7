package peerguard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestReasonsAndKindsAreCalledAsInTheLibrary(t *testing.T) {
	// One more than there are: what is none is called alike too.
	for n := range uint32(len(reasonWords) + 1) {
		if Reason(n).String() != reasonText(n) {
			t.Error(n, Reason(n), reasonText(n))
		}
	}
	for n := range uint32(len(eventWords) + 1) {
		if EventKind(n).String() != eventText(n) {
			t.Error(n, EventKind(n), eventText(n))
		}
	}
}

func TestStatesTiersAndOverridesAreCalledAsInTheSnapshot(t *testing.T) {
	guard, clock := newClockedGuard(t, nil)
	report := func(peer PeerID, outcome Outcome, times int) {
		for range times {
			must(guard.Report(peer, Result{Outcome: outcome}))(t)
		}
	}
	force := func(peer PeerID, forced Forced) {
		if err := guard.Force(peer, forced); err != nil {
			t.Fatal(err)
		}
	}
	report(id(1), MessageSuccess, 1)
	report(id(2), SyncSuccess, 10)
	report(id(3), SyncSuccess, 20)
	report(id(4), ProtocolViolation, 4)
	report(id(5), Fatal, 1)
	force(id(6), ForceOpen)
	force(id(7), ForceClosed)
	force(id(8), ForceObserving)
	trip(t, guard, id(9))
	clock.Advance(time.Minute)

	var read struct {
		Peers []struct{ ID, State, Tier, Forced string }
	}
	exporter := exporterOf(t, guard, nil)
	if err := json.Unmarshal(must(exporter.SnapshotJSON())(t), &read); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, peer := range read.Peers {
		view, known, err := guard.View(must(ParsePeerID(peer.ID))(t))
		if err != nil || !known {
			t.Fatal(peer, known, err)
		}
		if view.State.String() != peer.State || view.Tier.String() != peer.Tier || view.Forced.String() != peer.Forced {
			t.Error(view.State, view.Tier, view.Forced, peer)
		}
		seen["state "+peer.State], seen["tier "+peer.Tier], seen["forced "+peer.Forced] = true, true, true
	}
	if len(seen) != len(stateWords)+len(tierWords)+len(forcedWords) {
		t.Error("not every one was met:", seen)
	}
}

func TestDirectionsAreCalledAsInTheMetrics(t *testing.T) {
	text := string(must(exporterOf(t, newGuard(t, nil), nil).Metrics(ClassicMetrics))(t))
	for _, direction := range []Direction{Upload, Download} {
		if !strings.Contains(text, fmt.Sprintf("direction=%q", direction)) {
			t.Error(direction)
		}
	}
}

func TestEveryNumberHasAWordOfItsOwn(t *testing.T) {
	for _, words := range [][]string{reasonWords, eventWords, stateWords, tierWords, forcedWords, outcomeWords,
		recordedWords, directionWords, roleWords, seriesWords, formatWords} {
		seen := map[string]bool{"": true}
		for _, word := range words {
			if seen[word] {
				t.Errorf("%q in %q", word, words)
			}
			seen[word] = true
		}
	}
	for _, none := range []fmt.Stringer{Reason(99), Tier(99), Outcome(10), Recorded(4), Direction(2), Forced(4), Role(2)} {
		if none.String() != "unknown" {
			t.Errorf("%T: %s", none, none)
		}
	}
	if text := fmt.Sprint(ProtocolViolation, Stale, TierGood, ForceObserving, Download, Operator); text !=
		"protocol_violation stale good observe download operator" {
		t.Error(text)
	}
}

func TestABanForEverIsSaidInWords(t *testing.T) {
	guard := newGuard(t, nil)
	if err := guard.Ban(id(1), Forever, 3); err != nil {
		t.Fatal(err)
	}
	must(guard.Report(id(2), Result{Outcome: Fatal}))(t)
	ban := func(peer PeerID) *Ban {
		view, _, err := guard.View(peer)
		if err != nil || view.Ban == nil {
			t.Fatal(view, err)
		}
		if text := fmt.Sprintf("%+v", view); strings.Contains(text, "2562047h") {
			t.Error(text)
		}
		return view.Ban
	}
	if forever := ban(id(1)); forever.Remaining != Forever || forever.String() != "by an operator (code 3), until unbanned" {
		t.Error(forever)
	}
	if text := ban(id(2)).String(); !strings.HasPrefix(text, "for something fatal, ") || !strings.HasSuffix(text, "s left") {
		t.Error(text)
	}
	if text := (Ban{Remaining: time.Hour}).String(); text != "for a low score, 1h0m0s left" {
		t.Error(text)
	}
}
