//! Plans by chance: a seed, a plan. And the plans of the table, each for one fault, with the same
//! people doing the same things.

use crate::plan::{Act, ClientPlan, Fault, FaultPlan, Plan, Step, Way};
use crate::rng::Rng;

/// Between two steps of a client, in milliseconds.
const PACE_MS: (u64, u64) = (250, 1_050);
/// People of a workspace.
pub(crate) const PEOPLE: usize = 3;
/// Rooms that everybody is in.
pub(crate) const ROOMS: usize = 2;
/// A drawn plan's length.
const DRAWN_MS: u64 = 12_000;
/// Steps go on for this long after the end of a table's fault.
const AFTERWARDS_MS: u64 = 4_000;
/// The largest message, in bytes.
const BODY_BYTES: u64 = 400;

/// Everything mixed, with a few quick faults.
pub(crate) fn drawn(seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    let clients = (0..6).map(|number| client(&mut rng, number, DRAWN_MS, true)).collect();
    let count = rng.within(2, 6);
    let mut faults: Vec<FaultPlan> =
        (0..count).map(|_| FaultPlan { at_ms: rng.within(500, DRAWN_MS), fault: quick(&mut rng) }).collect();
    faults.sort_by_key(|fault| fault.at_ms);
    Plan { name: "drawn".to_owned(), seed, clients, faults }
}

fn quick(rng: &mut Rng) -> Fault {
    match rng.within(0, 9) {
        0..3 => Fault::Kill,
        3 => Fault::Stop { for_ms: rng.within(500, 4_000) },
        4 | 5 => Fault::Reset,
        6 => Fault::HalfOpen { for_ms: 0 },
        7 => Fault::BlackHole { for_ms: rng.within(500, 4_000) },
        _ => Fault::Phone { for_ms: rng.within(1_000, 4_000) },
    }
}

/// These faults, while six clients by six ways do everything that people do.
pub(crate) fn table(name: &str, seed: u64, faults: Vec<FaultPlan>) -> Plan {
    let mut rng = Rng::new(seed);
    let over = faults.iter().map(|fault| fault.at_ms + fault.fault.lasts_ms()).max().unwrap_or_default();
    let clients = (0..6).map(|number| client(&mut rng, number, over + AFTERWARDS_MS, false)).collect();
    Plan { name: name.to_owned(), seed, clients, faults }
}

fn client(rng: &mut Rng, number: usize, until_ms: u64, moves: bool) -> ClientPlan {
    let mut steps = Vec::new();
    let mut at_ms = rng.within(0, PACE_MS.0);
    while at_ms < until_ms {
        steps.push(Step { at_ms, act: act(rng, moves) });
        at_ms += rng.within(PACE_MS.0, PACE_MS.1);
    }
    ClientPlan { person: number % PEOPLE, way: Way::ALL[number], steps }
}

fn act(rng: &mut Rng, moves: bool) -> Act {
    let pick = small(rng, 1_000);
    let room = small(rng, 2);
    match rng.within(0, if moves { 106 } else { 100 }) {
        0..56 => Act::Post { room, bytes: small(rng, BODY_BYTES) },
        56..64 => Act::Reply { pick },
        64..75 => Act::Edit { pick },
        75..79 => Act::Delete { pick },
        79..87 => Act::React { pick },
        87..92 => Act::Unreact { pick },
        92..97 => Act::Read { room },
        97..100 => Act::Resend { pick },
        100..104 => Act::Switch { way: rng.one_of(&Way::ALL) },
        _ => Act::Away { for_ms: rng.within(200, 3_000) },
    }
}

fn small(rng: &mut Rng, below: u64) -> usize {
    usize::try_from(rng.within(0, below)).unwrap()
}

#[test]
fn a_seed_draws_one_plan_and_a_file_holds_it() {
    let plan = drawn(7);
    assert_eq!(plan, drawn(7));
    assert_ne!(plan.clients, drawn(8).clients);
    assert_eq!(serde_json::from_str::<Plan>(&plan.text()).unwrap(), plan);
}
