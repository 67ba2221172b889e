use crate::args::index::IndexKind;
use crate::args::serve::ServeArgs;
use crate::interrupt::stopped;
use crate::out::note;
use crate::{model, settings};
use anyhow::{Context, Result, ensure};
use longsight_hub::HubSettings;
use longsight_server::{Limits, ServerSettings, serve};
use std::net::SocketAddr;
use std::sync::Mutex;

/// `longsight serve`.
pub fn run(args: &ServeArgs) -> Result<()> {
    let run = &args.run;
    ensure!(!run.json, "a server prints no JSON; for its log in JSON say --log-json");
    start_log(args.log_json);
    let mut resolved = settings::resolve(run)?;
    resolved.run.video.probe.max_pixels = args.limits.max_pixels;
    let folder = model::folder(&run.model.model, run.engine.quiet)?;
    let description = model::describe(&folder, &resolved)?;
    let settings = ServerSettings {
        address: SocketAddr::new(args.host, args.port),
        key: args.api_key.clone(),
        open_without_key: args.open_without_key,
        model_name: run.model.model.clone(),
        model_folder: folder.path,
        run: resolved.run.clone(),
        // Its questions come again.
        index: settings::index(&args.index, IndexKind::Kv),
        data_folder: args
            .uploads
            .clone()
            .unwrap_or_else(|| HubSettings::from_env().own_cache_dir.join("uploads")),
        allowed_hosts: args.allow_host.clone(),
        limits: limits(args),
    };
    let model = model::load(description, &resolved)?;
    let quiet = run.engine.quiet;
    let ready = move |address| {
        if !quiet {
            note(&format!("listening on http://{address} (stop with Ctrl-C)"));
        }
    };
    check_threads().context("cannot start threads: allow this program more memory or more processes")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(RUNTIME_THREADS).enable_all().build();
    runtime.context("cannot start the server")?.block_on(serve(model.into(), settings, stopped(), ready))?;
    Ok(())
}

/// Threads of the runtime; they wait for clients, and compute nothing.
const RUNTIME_THREADS: usize = 2;

/// Whether the system has the threads of the runtime, which panics where it has not, and one more that works.
fn check_threads() -> std::io::Result<()> {
    let gate = Mutex::new(());
    std::thread::scope(|scope| {
        let _all_started = gate.lock();
        let wait = || drop(gate.lock());
        for _ in 0..=RUNTIME_THREADS {
            std::thread::Builder::new().spawn_scoped(scope, wait)?;
        }
        Ok(())
    })
}

fn limits(args: &ServeArgs) -> Limits {
    let limits = &args.limits;
    let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Limits {
        body_bytes: size(limits.max_body),
        text_bytes: size(limits.max_text),
        text_tokens: limits.max_text_tokens,
        idle_secs: limits.idle_secs.max(1),
        body_secs: limits.body_secs.max(1),
        connections: size(limits.max_connections),
        upload_bytes: limits.max_upload,
        storage_bytes: limits.max_storage,
        unfinished_secs: limits.unfinished_secs,
        duration_secs: limits.max_duration,
        frames: limits.max_question_frames,
        answer_tokens: limits.max_answer_tokens,
        queue: limits.max_queue,
        shutdown_secs: limits.shutdown_secs,
    }
}

/// Logs to standard error.
fn start_log(json: bool) {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    // A second log in the same process would be refused, which is no reason to stop.
    let _ = if json { log.json().try_init() } else { log.with_ansi(false).try_init() };
}
