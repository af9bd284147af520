//! Finds out what the cost of a message consists of: counts system calls and allocations, or samples where the time goes.
//! `cargo xtask bench --counts` and `--flames` build the programs and call this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::compare::{
    Choice, Contender, Extent, GENERATOR_CORE, Machine, Programs, Results, Side, Workload,
};
use duplexer_benches::load::{pin_to, raise_file_limit};
use duplexer_benches::spent::{
    Counter, Counts, Heap, JUDGED, Kept, Profile, Profiler, Spent, Verdict, probe, write_counts,
};

/// Find out what a message is spent on
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    choice: Choice,
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Task {
    /// Count system calls and allocations, and hold ours to what is kept
    Counts {
        /// Where strace is
        #[arg(long, value_name = "PATH")]
        strace: PathBuf,
    },
    /// Draw flame graphs of ours, and of the servers that are named
    Flames {
        /// Where perf is
        #[arg(long, value_name = "PATH")]
        perf: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    let Arguments { mut choice, task } = Arguments::parse();
    raise_file_limit(2_000)?;
    let machine = Machine::read();
    pin_to(GENERATOR_CORE)?;
    let scratch = Scratch::new()?;
    match task {
        Task::Counts { strace } => match probe(&strace, &scratch.0) {
            Ok(()) => count(&mut choice, &strace, &scratch, &machine),
            Err(reason) => skipped("counts", &choice, reason),
        },
        Task::Flames { perf } => match Profiler::new(&scratch.0, &perf) {
            Ok(profiler) => flames(&choice, Rc::new(profiler), &machine),
            Err(reason) => skipped("flames", &choice, reason),
        },
    }
}

/// Lets the quick form pass, and says so: whether somebody may look on is the machine's to say, and proves nothing of the bench.
fn skipped(task: &str, choice: &Choice, reason: anyhow::Error) -> anyhow::Result<()> {
    if !choice.quick {
        return Err(reason);
    }
    println!("{task}: SKIPPED: {reason:#}");
    Ok(())
}

fn count(
    choice: &mut Choice,
    strace: &Path,
    scratch: &Scratch,
    machine: &Machine,
) -> anyhow::Result<()> {
    let kept = Kept::read()?;
    // Tracing makes servers slow and changes no count, so that few messages do.
    let mut workloads = choice.workloads(Extent::Quick)?;
    workloads.retain(Workload::is_steady);
    if choice.quick && choice.only.is_empty() {
        workloads.retain(|it| kept.knows(it.name));
    }
    if choice.quick && choice.server.is_empty() {
        choice.server.push(JUDGED.to_owned());
    }
    let mut servers = servers(choice)?;
    if choice.quick {
        // The floor only where it is named.
        servers.retain(|it| choice.server.iter().any(|name| name == it.name));
    }
    let heap = Heap::prepare(&scratch.0)?;
    let (mut all, mut judged, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    for workload in &workloads {
        let mut counts =
            Counts { workload: workload.name, unit: workload.unit, servers: Vec::new() };
        for server in servers.iter().filter(|it| it.knows(workload.mode)) {
            if server.name == JUDGED {
                judged.push(workload.name);
            }
            let spent = counted(&choice.programs, strace, (scratch, &heap), workload, server);
            let spent = match spent {
                Ok(spent) => spent,
                Err(error) => {
                    faults.push(format!("{}, {}: {error:#}", workload.name, server.name));
                    continue;
                }
            };
            if server.name == JUDGED {
                let Verdict { more, less, missing } = kept.judge(workload.name, &spent);
                faults.extend(more.iter().map(ToString::to_string));
                faults.extend(missing.iter().map(ToString::to_string));
                less.iter().for_each(|it| println!("{it}"));
            }
            counts.servers.push((server.name, spent));
        }
        println!("{}", counts.to_markdown().trim_end());
        println!();
        all.push(counts);
    }
    let missing = kept.missing(|it| choice.has_server(JUDGED) && choice.has(it), &judged);
    faults.extend(missing.iter().map(ToString::to_string));
    let folder = choice.folder(machine);
    write_counts(&folder, machine, &all)?;
    println!("{}", folder.display());
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn counted(
    programs: &Programs,
    strace: &Path,
    (scratch, heap): (&Scratch, &Heap),
    workload: &Workload,
    server: &Contender,
) -> anyhow::Result<Spent> {
    let heap = server.takes_memory_of_glibc(workload.mode).then(|| heap.clone());
    let counter = Rc::new(Counter::new(&scratch.0, Some(strace), heap));
    let mut running = server.start_as(programs, workload.mode, |command| {
        if let Some(heap) = counter.heap() {
            heap.count(command);
        }
    })?;
    running.target.witness = Some(counter.clone());
    workload.measure(&running.target)?;
    counter.spent().context("nobody looked on")
}

fn flames(choice: &Choice, profiler: Rc<Profiler>, machine: &Machine) -> anyhow::Result<()> {
    let mut workloads = choice.workloads(Extent::Full)?;
    workloads.retain(Workload::counts);
    if choice.quick && choice.only.is_empty() {
        workloads.retain(|it| it.name == QUICK_FLAME);
    }
    let mut servers = servers(choice)?;
    if choice.server.is_empty() {
        servers.retain(|it| it.side() == Side::Ours);
    }
    if choice.quick {
        servers.retain(|it| it.name == JUDGED);
    }
    let folder = choice.folder(machine);
    let results = Results::within(&folder)?;
    let mut faults = Vec::new();
    let mut text = format!(
        "# Where the time goes, {}\n\n{machine}. Stacks sampled by perf; `benches/README.md` says how to read them.\n\n",
        machine.day
    );
    for workload in &workloads {
        for server in servers.iter().filter(|it| it.knows(workload.mode)) {
            let title = format!("{}, {}", server.name, workload.name);
            let picture = format!("flame-{}-{}.svg", server.name, workload.name);
            let profile = match sampled(&choice.programs, &profiler, workload, server) {
                Ok(profile) => profile,
                Err(error) => {
                    faults.push(format!("{title}: {error:#}"));
                    continue;
                }
            };
            profile.draw(&results.path(&picture), &title)?;
            let section = profile.to_markdown(&title, &picture);
            println!("{section}");
            text.push_str(&section);
        }
    }
    results.put("flames.md", &format!("{}\n", text.trim_end()))?;
    println!("{}", folder.display());
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn sampled(
    programs: &Programs,
    profiler: &Rc<Profiler>,
    workload: &Workload,
    server: &Contender,
) -> anyhow::Result<Profile> {
    let mut running = server.start(programs, workload.mode)?;
    running.target.witness = Some(profiler.clone());
    workload.measure(&running.target)?;
    profiler.profile()
}

fn servers(choice: &Choice) -> anyhow::Result<Vec<Contender>> {
    let (servers, left_out) = choice.servers()?;
    if !choice.quick {
        left_out.iter().for_each(|(name, reason)| println!("{name} is left out: {reason}"));
    }
    Ok(servers)
}

/// A folder that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("spent-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is small, and in the folder for such things.
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The workload that shows that flame graphs can be drawn.
const QUICK_FLAME: &str = "echo-20B-d16";
