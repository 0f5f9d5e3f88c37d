//! What happens in one run: who does what when, and which faults come. A plan is data, so that a
//! failure can be kept as a file and played again, and read by a person.
//!
//! Times are when something begins; how long an answer takes is the run's own. So a plan played twice
//! is the same in what is done, not in how it interleaves: that is what the many seeds are for.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) seed: u64,
    pub(crate) clients: Vec<ClientPlan>,
    pub(crate) faults: Vec<FaultPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientPlan {
    /// Whose device it is.
    pub(crate) person: usize,
    pub(crate) way: Way,
    pub(crate) steps: Vec<Step>,
}

/// How a client is connected: our client, or frames and requests by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Way {
    /// Whatever gets through.
    Auto,
    WebSocket,
    Sse,
    Batch,
    RawWebSocket,
    RawSse,
    RawBatch,
}

impl Way {
    pub(crate) const ALL: [Self; 7] = [
        Self::WebSocket,
        Self::RawSse,
        Self::Batch,
        Self::RawWebSocket,
        Self::Sse,
        Self::RawBatch,
        Self::Auto,
    ];

    /// Which column of a table it belongs to.
    pub(crate) const fn column(self) -> usize {
        match self {
            Self::Auto | Self::WebSocket | Self::RawWebSocket => 0,
            Self::Sse | Self::RawSse => 1,
            Self::Batch | Self::RawBatch => 2,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) at_ms: u64,
    #[serde(flatten)]
    pub(crate) act: Act,
}

/// `pick` chooses among what there is at that time; where there is nothing, nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Act {
    Post {
        room: usize,
        bytes: usize,
    },
    Reply {
        pick: usize,
    },
    Edit {
        pick: usize,
    },
    Delete {
        pick: usize,
    },
    React {
        pick: usize,
    },
    Unreact {
        pick: usize,
    },
    /// Marks a room as read up to the newest message seen.
    Read {
        room: usize,
    },
    /// Sends an acknowledged post once more.
    Resend {
        pick: usize,
    },
    /// Goes on at its cursor by another way.
    Switch {
        way: Way,
    },
    Away {
        for_ms: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultPlan {
    pub(crate) at_ms: u64,
    #[serde(flatten)]
    pub(crate) fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub(crate) enum Fault {
    /// `kill -9`, and a new start at once.
    Kill,
    /// SIGSTOP, later SIGCONT.
    Stop {
        for_ms: u64,
    },
    DiskFull {
        for_ms: u64,
    },
    /// The file system gives up after an error, as ext4 does: read-only, under open files.
    ReadOnly {
        for_ms: u64,
    },
    /// The wall clock jumps.
    Clock {
        by_s: i64,
    },
    /// No file descriptor is left.
    Descriptors {
        for_ms: u64,
    },
    /// Every connection is reset.
    Reset,
    /// Every connection is dead and nobody says so; new ones are well. How long it is watched.
    HalfOpen {
        for_ms: u64,
    },
    /// Nothing gets through, nothing is closed, new connections hang as well.
    BlackHole {
        for_ms: u64,
    },
    /// One client reads a byte a second.
    SlowReader {
        client: usize,
        for_ms: u64,
    },
    /// One client sends a byte a second.
    SlowSender {
        client: usize,
        for_ms: u64,
    },
    /// A bad phone network for everybody.
    Phone {
        for_ms: u64,
    },
}

impl Plan {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// As JSON with a line for each step.
    pub(crate) fn text(&self) -> String {
        let text = serde_json::to_string(self).unwrap();
        let ahead = |mark: &'static str| move |text: String| text.replace(mark, &format!("\n{mark}"));
        let text = ahead("{\"person\"")(ahead("{\"at_ms\"")(ahead("\"faults\"")(text)));
        text + "\n"
    }

    /// Where a failure's plan is kept: beside the binary that ran it.
    pub(crate) fn keep(&self) -> PathBuf {
        let dir = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("faults");
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(format!("{}-{}.json", self.name, self.seed));
        std::fs::write(&path, self.text()).unwrap();
        path
    }

    /// When its last step or fault begins or is over.
    pub(crate) fn ends_ms(&self) -> u64 {
        let steps = self.clients.iter().flat_map(|client| client.steps.iter().map(|step| step.at_ms));
        let faults = self.faults.iter().map(|fault| fault.at_ms + fault.fault.lasts_ms());
        steps.chain(faults).max().unwrap_or_default()
    }
}

impl Fault {
    pub(crate) const fn lasts_ms(&self) -> u64 {
        match *self {
            Self::Kill | Self::Clock { .. } | Self::Reset => 0,
            Self::Stop { for_ms }
            | Self::DiskFull { for_ms }
            | Self::ReadOnly { for_ms }
            | Self::Descriptors { for_ms }
            | Self::HalfOpen { for_ms }
            | Self::BlackHole { for_ms }
            | Self::SlowReader { for_ms, .. }
            | Self::SlowSender { for_ms, .. }
            | Self::Phone { for_ms } => for_ms,
        }
    }
}
