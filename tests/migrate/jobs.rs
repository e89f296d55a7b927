//! The job files of `docs/jobs/`, run as Slurm, Kubernetes and GNU parallel run them: each mailbox is done once.

use super::*;

const USERS: usize = 12;

/// A home with a table of mboxes that are to become Maildirs, one of which is missing.
fn home() -> Ferry {
    let ferry = Ferry::new();
    let mut table = "from,to\n".to_owned();
    for n in 0..=USERS {
        table.push_str(&format!("mbox:{n}.mbox,maildir:out/{n}\n"));
        let text = [b"From a@b Fri Mar  1 00:00:00 2024\n", &*with_lf(&mail::message(n, "x\r\n")), b"\n"].concat();
        if n < USERS {
            fs::write(ferry.path(&format!("{n}.mbox")), text).unwrap();
        }
    }
    fs::write(ferry.path("users.csv"), table).unwrap();
    fs::write(ferry.path("hosts"), ":\n").unwrap();
    ferry
}

/// What a shell says to a script, with the program in PATH; its exit code.
fn sh(ferry: &Ferry, script: &[&str], variables: &[(&str, usize)]) -> Option<i32> {
    let mut shell = Command::new("sh");
    let program = Path::new(env!("CARGO_BIN_EXE_mailferry")).parent().unwrap();
    shell.args(script).current_dir(ferry.path("")).env_clear().env("HOME", ferry.path(""));
    shell.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    shell.envs(variables.iter().map(|(name, n)| (name, n.to_string())));
    shell.output().unwrap().status.code()
}

fn file(name: &str) -> String {
    format!("{}/docs/jobs/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Every mailbox has arrived, and has one report, which says that it was done once.
#[track_caller]
fn assert_done(ferry: &Ferry) {
    for n in 0..USERS {
        assert_eq!(maildir(&ferry.path(&format!("out/{n}"))).len(), 1, "{n}");
    }
    let reports = fs::read_dir(ferry.path("reports")).unwrap().map(|f| fs::read(f.unwrap().path()).unwrap());
    let reports: Vec<Value> = reports.map(|text| serde_json::from_slice(&text).unwrap()).collect();
    let exits = reports.iter().filter(|r| r["exit"] == 0 && r["folders"][0]["copied"] == 1).count();
    assert_eq!(exits, USERS, "{reports:?}");
}

#[test]
fn slurm() {
    let (ferry, script) = (home(), file("migrate.sbatch"));
    let part = |n| sh(&ferry, &[&script], &[("SLURM_ARRAY_TASK_ID", n), ("SLURM_ARRAY_TASK_COUNT", 4)]);
    let codes: Vec<_> = (1..=4).map(part).collect();
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 3, "{codes:?}");
    assert_done(&ferry);
    // A part that is put into the queue again does what is left.
    assert_eq!((1..=4).map(part).collect::<Vec<_>>(), codes);
    assert_done(&ferry);
}

#[test]
fn kubernetes() {
    let ferry = home();
    let job = fs::read_to_string(file("migrate.yaml")).unwrap();
    let args = job.lines().find_map(|line| line.trim().strip_prefix("args: ['")?.strip_suffix("']")).unwrap();
    let count: usize = job.lines().find_map(|l| l.trim().strip_prefix("completions: ")).unwrap().parse().unwrap();
    assert!(args.contains(&format!("/{count}\"")), "{args}");
    let codes: Vec<_> = (0..count).map(|n| sh(&ferry, &["-c", args], &[("JOB_COMPLETION_INDEX", n)])).collect();
    assert_eq!(codes.iter().filter(|code| **code != Some(0)).count(), 1, "{codes:?}");
    assert_done(&ferry);
}

#[test]
fn parallel_and_xargs() {
    for script in ["migrate-xargs.sh", "migrate-parallel.sh"] {
        let found = Command::new("sh").args(["-c", "command -v parallel"]).output().unwrap().status.success();
        if script.contains("parallel") && !found {
            continue;
        }
        let ferry = home();
        let code = sh(&ferry, &[&file(script)], &[]);
        // One part has failed: xargs says so by 123, parallel by how many.
        assert!(matches!(code, Some(123 | 1)), "{script}: {code:?}");
        assert_done(&ferry);
    }
}
