//! A hub name becomes a snapshot folder: listing, small files, then the weights that they name.

use crate::cache::RepoCache;
use crate::client::{Client, FileMeta};
use crate::download::Downloader;
use crate::files::{WantedFiles, missing_from};
use crate::name::RepoName;
use crate::{DownloadProgress, HubError, HubSettings, ModelFolder, ModelSource};

/// Kept free beyond the files themselves.
const SPARE_BYTES: u64 = 16 << 20;

pub(crate) fn resolve(
    repo: RepoName,
    settings: &HubSettings,
    progress: &dyn DownloadProgress,
) -> Result<ModelFolder, HubError> {
    let cache = RepoCache::new(&settings.cache_dir, &repo);
    if settings.offline {
        return cached(&repo, &cache).map_err(|missing| HubError::Offline {
            repo: repo.id.clone(),
            missing,
            cache_dir: settings.cache_dir.clone(),
        });
    }
    let client = Client::new(settings, &repo)?;
    let listing = match client.listing() {
        Err(e @ (HubError::Unreachable { .. } | HubError::Server { .. })) => {
            return cached(&repo, &cache).map_err(|missing| not_cached(e, missing, &repo, settings));
        }
        other => other?,
    };
    let wanted = WantedFiles::choose(&repo.id, &listing.files)?;
    let commit = listing.commit;
    let downloader = Downloader {
        client: &client,
        cache: &cache,
        commit: &commit,
        patience: &settings.patience,
        progress,
    };
    fetch_all(&downloader, &wanted.small)?;
    fetch_all(&downloader, &wanted.weights(&repo.id, &cache.snapshot(&commit))?)?;
    // Noted last: until now the revision stood for the snapshot of before, which is whole.
    cache.note_commit(&repo.revision, &commit)?;
    Ok(folder(&repo, &cache, commit, false))
}

/// Downloads what the snapshot lacks of `files`, after a look at the room that they need.
fn fetch_all(downloader: &Downloader<'_>, files: &[String]) -> Result<(), HubError> {
    let snapshot = downloader.cache.snapshot(downloader.commit);
    let lacking = files.iter().filter(|name| !snapshot.join(name).is_file());
    let metas: Vec<FileMeta> =
        lacking.map(|name| downloader.client.file_meta(downloader.commit, name)).collect::<Result<_, _>>()?;
    let download_bytes = metas.iter().map(|m| downloader.remaining_bytes(m)).fold(0, u64::saturating_add);
    downloader.cache.check_room(download_bytes, SPARE_BYTES)?;
    metas.iter().try_for_each(|meta| downloader.fetch(meta))
}

/// The snapshot in the cache, or what it lacks.
fn cached(repo: &RepoName, cache: &RepoCache) -> Result<ModelFolder, String> {
    let commit = cache.commit_of(&repo.revision).ok_or_else(|| "the whole model".to_owned())?;
    let missing = missing_from(&cache.snapshot(&commit));
    match missing.as_slice() {
        [] => Ok(folder(repo, cache, commit, true)),
        [first] => Err(first.clone()),
        [first, rest @ ..] => Err(format!("{first} and {} more", rest.len())),
    }
}

fn not_cached(error: HubError, missing: String, repo: &RepoName, settings: &HubSettings) -> HubError {
    match error {
        HubError::Unreachable { host, cause } => HubError::UnreachableAndNotCached {
            repo: repo.id.clone(),
            cause: format!("no connection to {host} ({cause})"),
            missing,
            cache_dir: settings.cache_dir.clone(),
        },
        other => other,
    }
}

fn folder(repo: &RepoName, cache: &RepoCache, commit: String, from_cache: bool) -> ModelFolder {
    let path = cache.snapshot(&commit);
    let (repo, revision) = (repo.id.clone(), repo.revision.clone());
    ModelFolder { path, source: ModelSource::Hub { repo, revision, commit, from_cache } }
}
