//! Passes over the records against those who change them.

use super::explore::{FULL, SHALLOW, explore, race};
use super::stage::{Many, START, id};
use crate::peer::view::{PeerView, Wall};
use crate::reputation::outcome::Outcome;
use crate::token_bucket::rate::Rate;

const A: u64 = 1;

/// What a snapshot shows of the only slot.
fn view(many: &Many) -> Option<PeerView> {
    let wall = Wall { now: START, time: std::time::UNIX_EPOCH };
    many.table.image(0).map(|image| image.view(&wall, [Rate::UNLIMITED; 2], &many.books.rules))
}

#[test]
fn a_ban_that_a_snapshot_has_shown_stays() {
    explore("earned ban x two snapshots", 1070, SHALLOW, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        let (_, views) = race(turn, &many, |many| many.report(&id(A), Outcome::Fatal), |many| [view(many), view(many)]);
        let [first, second] = views.map(|view| view.expect("the record is not evicted"));
        assert!(first.ban.is_none() || second.ban.is_some(), "a ban that was shown is shown from then on");
        for view in [&first, &second] {
            assert_eq!(view.score, 50.0, "a fatal outcome bans at the score that the peer has");
            assert_eq!(view.offences, u8::from(view.ban.is_some()), "a ban is shown with its offence");
        }
        assert!(view(&many).is_some_and(|view| view.ban.is_some()), "in the end it is shown");
    });
}

#[test]
fn a_ban_is_shown_whole_when_it_is_given_and_lifted() {
    explore("operator's ban, unban x snapshot", 1390, FULL, |turn| {
        let many = Many::new(1);
        assert!(many.meet(&id(A)));
        for _ in 0..2 {
            many.report(&id(A), Outcome::SyncSuccess);
        }
        let ((), seen) = race(
            turn,
            &many,
            |many| {
                let site = many.books.site(START);
                let pin = many.table.pin_found(&id(A)).expect("the record is there");
                pin.record().ban_by_operator(Some(100), 7, &site);
                assert!(pin.record().unban(&site), "a ban was in force");
            },
            view,
        );
        let seen = seen.expect("the record is not evicted");
        let expected = if seen.ban.is_some() { &[54.0][..] } else { &[54.0, 50.0] };
        assert!(expected.contains(&seen.score), "frozen under the ban, initial after it: {}", seen.score);
        assert_eq!(view(&many).map(|view| view.score), Some(50.0), "unban sets the initial score");
    });
}
