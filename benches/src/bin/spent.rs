//! Finds out what the cost of a message consists of: counts system calls and allocations, or samples where the time goes.
//! `cargo xtask bench --counts` and `--flames` build the programs and call this one.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context as _;
use clap::Parser as _;
use duplexer_benches::compare::{
    Contender, Extent, GENERATOR_CORE, Machine, Programs, Side, Workload, chosen_servers,
    chosen_workloads, startable,
};
use duplexer_benches::load::{pin_to, raise_file_limit};
use duplexer_benches::spent::{
    Counter, Counts, Heap, Kept, Profile, Profiler, Spent, probe, write_counts,
};

/// Find out what a message is spent on
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Where the results go
    #[arg(long, value_name = "FOLDER")]
    results: PathBuf,
    /// Put them into a folder of that folder, named by day and processor
    #[arg(long)]
    dated: bool,
    /// Prove that it works
    #[arg(long)]
    quick: bool,
    /// Only these workloads
    #[arg(long, value_delimiter = ',', value_name = "WORKLOAD,...")]
    only: Vec<String>,
    /// Only these servers, beside `ideal`
    #[arg(long, value_delimiter = ',', value_name = "SERVER,...")]
    server: Vec<String>,
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
    let arguments = Arguments::parse();
    raise_file_limit(2_000)?;
    pin_to(GENERATOR_CORE)?;
    let machine = Machine::read();
    let results = match arguments.dated {
        true => machine.folder(&arguments.results),
        false => arguments.results.clone(),
    };
    let scratch = Scratch::new()?;
    match &arguments.task {
        Task::Counts { strace } => match probe(strace, &scratch.0) {
            Ok(()) => count(&arguments, strace, &scratch, &machine, &results),
            // As with perf.
            Err(reason) if arguments.quick => {
                println!("counts: SKIPPED: {reason:#}");
                Ok(())
            }
            Err(reason) => Err(reason),
        },
        Task::Flames { perf } => match Profiler::new(&scratch.0, perf) {
            Ok(profiler) => flames(&arguments, Rc::new(profiler), &machine, &results),
            // Whether perf may look is the machine's to say, and proves nothing of the bench.
            Err(reason) if arguments.quick => {
                println!("flames: SKIPPED: {reason:#}");
                Ok(())
            }
            Err(reason) => Err(reason),
        },
    }
}

fn count(
    arguments: &Arguments,
    strace: &Path,
    scratch: &Scratch,
    machine: &Machine,
    results: &Path,
) -> anyhow::Result<()> {
    let kept = Kept::read()?;
    // Tracing makes servers slow and changes no count, so that few messages do.
    let mut workloads = chosen_workloads(Extent::Quick, &arguments.only)?;
    workloads.retain(Workload::is_steady);
    let mut names = arguments.server.clone();
    if arguments.quick {
        if arguments.only.is_empty() {
            workloads.retain(|it| kept.knows(it.name));
        }
        if names.is_empty() {
            names.push(JUDGED.to_owned());
        }
    }
    let mut servers = servers(&names, arguments)?;
    if arguments.quick {
        servers.retain(|it| names.iter().any(|name| name == it.name));
    }
    let heap = Heap::prepare(&scratch.0)?;
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for workload in &workloads {
        let mut counts =
            Counts { workload: workload.name, unit: workload.unit, servers: Vec::new() };
        for server in servers.iter().filter(|it| it.knows(workload.mode)) {
            let spent = counted(arguments, strace, (scratch, &heap), workload, server);
            let spent = match spent {
                Ok(spent) => spent,
                Err(error) => {
                    faults.push(format!("{}, {}: {error:#}", workload.name, server.name));
                    continue;
                }
            };
            if server.name == JUDGED {
                let (more, less) = kept.judge(workload.name, &spent);
                faults.extend(more.iter().map(ToString::to_string));
                less.iter().for_each(|it| println!("{it}"));
            }
            counts.servers.push((server.name, spent));
        }
        println!("{}", counts.to_markdown().trim_end());
        println!();
        all.push(counts);
    }
    write_counts(results, machine, &all)?;
    println!("{}", results.display());
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn counted(
    arguments: &Arguments,
    strace: &Path,
    (scratch, heap): (&Scratch, &Heap),
    workload: &Workload,
    server: &Contender,
) -> anyhow::Result<Spent> {
    let heap = server.takes_memory_of_glibc(workload.mode).then(|| heap.clone());
    let counter = Rc::new(Counter::new(&scratch.0, Some(strace), heap));
    let mut running = server.start_as(&arguments.programs, workload.mode, |command| {
        if let Some(heap) = counter.heap() {
            heap.count(command);
        }
    })?;
    running.target.witness = Some(counter.clone());
    workload.measure(&running.target)?;
    counter.spent().context("nobody looked on")
}

fn flames(
    arguments: &Arguments,
    profiler: Rc<Profiler>,
    machine: &Machine,
    results: &Path,
) -> anyhow::Result<()> {
    let mut workloads = chosen_workloads(Extent::Full, &arguments.only)?;
    workloads.retain(Workload::counts);
    if arguments.quick && arguments.only.is_empty() {
        workloads.retain(|it| it.name == QUICK_FLAME);
    }
    let mut servers = servers(&arguments.server, arguments)?;
    if arguments.server.is_empty() {
        servers.retain(|it| it.side() == Side::Ours);
    }
    if arguments.quick {
        servers.retain(|it| it.name == JUDGED);
    }
    fs::create_dir_all(results).with_context(|| format!("making {}", results.display()))?;
    let mut faults = Vec::new();
    let mut text = format!(
        "# Where the time goes, {}\n\n{}, Linux {}. Stacks sampled by perf; `benches/README.md` says how to read them.\n\n",
        machine.day, machine.processor, machine.kernel
    );
    for workload in &workloads {
        for server in servers.iter().filter(|it| it.knows(workload.mode)) {
            let title = format!("{}, {}", server.name, workload.name);
            let picture = format!("flame-{}-{}.svg", server.name, workload.name);
            let profile = match sampled(arguments, &profiler, workload, server) {
                Ok(profile) => profile,
                Err(error) => {
                    faults.push(format!("{title}: {error:#}"));
                    continue;
                }
            };
            profile.draw(&results.join(&picture), &title)?;
            let section = profile.to_markdown(&title, &picture);
            println!("{section}");
            text.push_str(&section);
        }
    }
    let path = results.join("flames.md");
    fs::write(&path, text.trim_end().to_owned() + "\n")
        .with_context(|| format!("writing {}", path.display()))?;
    println!("{}", results.display());
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn sampled(
    arguments: &Arguments,
    profiler: &Rc<Profiler>,
    workload: &Workload,
    server: &Contender,
) -> anyhow::Result<Profile> {
    let mut running = server.start(&arguments.programs, workload.mode)?;
    running.target.witness = Some(profiler.clone());
    workload.measure(&running.target)?;
    profiler.profile()
}

fn servers(names: &[String], arguments: &Arguments) -> anyhow::Result<Vec<Contender>> {
    let (servers, left_out) = startable(chosen_servers(names)?, &arguments.programs);
    for (name, reason) in left_out {
        let is_wanted = arguments.server.iter().any(|it| it == name);
        anyhow::ensure!(!is_wanted, "{name} cannot be started: {reason}");
        if !arguments.quick {
            println!("{name} is left out: {reason}");
        }
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

/// The server whose counts are kept.
const JUDGED: &str = "duplexer";
/// The workload that shows that flame graphs can be drawn.
const QUICK_FLAME: &str = "echo-20B-d16";
