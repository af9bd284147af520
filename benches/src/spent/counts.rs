//! What messages were spent on, server by server, as a table and as JSON. Numbers of a load in, numbers for each message out.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::calls::{Calls, Kind};
use super::heap::Allocations;
use crate::compare::{Machine, Results};

/// What one server spent on the messages of one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// How many messages, deliveries or openings were counted.
    pub messages: u64,
    /// Its system calls; absent where nobody traced them.
    pub calls: Option<Calls>,
    /// What it asked of the heap; absent where its memory is its own affair.
    pub allocations: Option<Allocations>,
}

/// What all servers spent under one workload.
#[derive(Debug)]
pub struct Counts {
    /// The workload's name.
    pub workload: &'static str,
    /// What its figure counts.
    pub unit: &'static str,
    /// Each server's name, and what it spent.
    pub servers: Vec<(&'static str, Spent)>,
}

impl Spent {
    /// Returns how many calls of a kind each message took, as far as that is known.
    #[must_use]
    pub fn calls_of(&self, kind: Kind) -> Option<f64> {
        let calls = self.calls.as_ref()?;
        let of_kind = calls.iter().filter(|(name, _)| Kind::of(name) == kind);
        Some(self.each(of_kind.map(|(_, count)| count).sum()))
    }

    /// Returns how often memory was asked for, and how many bytes, for each message.
    #[must_use]
    pub fn heap(&self) -> Option<(f64, f64)> {
        self.allocations.map(|it| (self.each(it.count), self.each(it.bytes)))
    }

    /// Returns everything that is known for each message, by the names that files have for it.
    #[must_use]
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let calls = Kind::ALL.map(|kind| self.calls_of(kind).map(|calls| (kind.name(), calls)));
        let (count, bytes) = self.heap().unzip();
        let heap = [count.map(|it| ("allocations", it)), bytes.map(|it| ("allocated_bytes", it))];
        calls.into_iter().chain(heap).flatten().collect()
    }

    fn each(&self, count: u64) -> f64 {
        count as f64 / self.messages as f64
    }

    /// Names the calls of no other kind that at least one message in a hundred took.
    fn others(&self) -> String {
        let calls = self.calls.iter().flat_map(Calls::iter);
        let others = calls.filter(|(name, _)| Kind::of(name) == Kind::Other);
        let others = others.map(|(name, count)| (name, self.each(count)));
        let named = others.filter(|(_, each)| *each >= 0.01);
        named.map(|(name, each)| format!("{name} {each:.2}")).collect::<Vec<_>>().join(", ")
    }

    fn to_json(&self) -> Value {
        let calls = self.calls.iter().flat_map(Calls::iter);
        json!({
            "counted": self.messages,
            "calls": calls.map(|(name, count)| (name.to_owned(), self.each(count).into())).collect::<serde_json::Map<String, Value>>(),
            "allocations": self.heap().map(|(count, _)| count),
            "allocated_bytes": self.heap().map(|(_, bytes)| bytes),
        })
    }
}

impl Counts {
    /// Returns the table of the workload in Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _whole = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        let each = self.unit.rsplit_once(' ').map_or("message", |(_, last)| last);
        writeln!(text, "## {}, for each {each}\n", self.workload)?;
        writeln!(
            text,
            "| server | receive | send | wait | other | allocations | bytes of them | other calls |"
        )?;
        writeln!(text, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for (server, spent) in &self.servers {
            write!(text, "| `{server}` |")?;
            for kind in Kind::ALL {
                write!(text, " {} |", cell(spent.calls_of(kind), 3))?;
            }
            let (count, bytes) = spent.heap().unzip();
            writeln!(text, " {} | {} | {} |", cell(count, 3), cell(bytes, 0), spent.others())?;
        }
        writeln!(text)
    }

    fn to_json(&self) -> Value {
        let servers = self.servers.iter();
        let servers = servers.map(|(name, spent)| ((*name).to_owned(), spent.to_json()));
        json!({
            "workload": self.workload,
            "unit": self.unit,
            "servers": servers.collect::<serde_json::Map<String, Value>>(),
        })
    }
}

fn cell(value: Option<f64>, places: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.places$}"))
}

/// Writes `counts.json` and `counts.md` into `folder`, which is made when it is missing.
///
/// # Errors
/// Fails when a file cannot be written.
pub fn write_counts(folder: &Path, machine: &Machine, counts: &[Counts]) -> anyhow::Result<()> {
    let results = Results::within(folder)?;
    let json = json!({
        "day": machine.day,
        "processor": machine.processor,
        "kernel": machine.kernel,
        "workloads": counts.iter().map(Counts::to_json).collect::<Vec<_>>(),
    });
    let tables: String = counts.iter().map(Counts::to_markdown).collect();
    let text = format!(
        "# What a message is spent on, {}\n\n{machine}. System calls and allocations; `benches/README.md` says how they are \
         counted.\n\n{}\n",
        machine.day,
        tables.trim_end(),
    );
    results.put("counts.json", &format!("{json:#}\n"))?;
    results.put("counts.md", &text)
}

#[cfg(test)]
mod tests {
    use super::{Counts, Spent};
    use crate::spent::Allocations;

    #[test]
    fn what_is_not_known_is_not_taken_for_nothing() {
        let allocations = Some(Allocations { count: 30, bytes: 4_000 });
        let spent = Spent { messages: 20, calls: None, allocations };
        assert_eq!(spent.named(), [("allocations", 1.5), ("allocated_bytes", 200.0)]);
        let servers = vec![("ours", spent)];
        let counts = Counts { workload: "openings", unit: "µs per opening", servers };
        let table = counts.to_markdown();
        assert!(table.contains("## openings, for each opening\n"), "{table}");
        assert!(table.contains("| `ours` | – | – | – | – | 1.500 | 200 |  |\n"), "{table}");
    }
}
