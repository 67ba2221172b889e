'use strict';

// The videos on the server, uploads, and the player.

// ---- Videos: list, select, delete ----------------------------------------------------------------------------------

async function loadFiles() {
  state.files = (await requestJson('/v1/files')).data;
  drawFiles();
}

function drawFiles() {
  const items = state.files.map((file) => {
    const name = el('span', { className: 'name' }, file.filename);
    const about = el('span', { className: 'hint' }, size(file.bytes));
    const select = button(name, () => selectFile(file), { className: 'select', 'data-id': file.id });
    select.append(about);
    if (file.id === state.file?.id) select.setAttribute('aria-current', 'true');
    const remove = { className: 'icon', 'aria-label': `Delete ${file.filename}`, title: 'Delete' };
    return el('li', {}, select, button('×', () => deleteFile(file), remove));
  });
  $('video-list').replaceChildren(...items);
  $('empty').hidden = state.file !== null;
}

function selectFile(file) {
  if (file?.id === state.file?.id) return;
  state.file = file;
  state.plan = null;
  state.position = 0;
  state.history = file ? (kept.get(`history.${file.id}`) ?? []) : [];
  for (const id of ['work', 'side', 'history-panel']) $(id).hidden = !file;
  const clip = $('settings-form').elements;
  clip.from.value = clip.to.value = ''; // They were of the other video.
  loadPlayer(file);
  drawFiles();
  if (file) {
    kept.set('selected', file.id);
    $('video-title').textContent = file.filename;
  }
  show(file && state.run?.file.id === file.id ? state.run.record : null);
  settingsChanged();
}

async function deleteFile(file) {
  const text = 'The file is removed from the server, and its questions and answers from this browser.';
  if (!(await confirmed(`Delete ${file.filename}?`, text))) return;
  try {
    await request(fileUrl(file.id), { method: 'DELETE' });
    kept.remove(`history.${file.id}`);
    state.files = state.files.filter((other) => other !== file);
    if (state.run?.file.id === file.id) state.run.controller.abort();
    if (state.file?.id === file.id) selectFile(null);
    await loadFiles();
    $('file-input').focus();
  } catch (error) {
    showError(error, () => deleteFile(file));
  }
}

// ---- Uploads -------------------------------------------------------------------------------------------------------

/** One after another: side by side they would only share the line. */
let uploads = Promise.resolve();

function addFiles(files) {
  for (const file of files) {
    const upload = { file, controller: new AbortController(), row: null };
    upload.row = uploadRow(upload);
    $('uploads').append(upload.row);
    uploads = uploads.then(() => runUpload(upload));
  }
}

function uploadRow({ file, controller }) {
  return el('li', {},
    el('span', { className: 'name' }, file.name),
    el('progress', { max: file.size, value: 0, 'aria-label': `Upload of ${file.name}` }),
    el('span', { className: 'hint' }, 'Waiting'),
    button('Cancel', () => controller.abort(), { className: 'quiet', 'aria-label': `Cancel the upload of ${file.name}` }));
}

async function runUpload({ file, controller, row }) {
  // Remembered until it is complete: the same file added again, say after a reload, goes on where it stopped.
  const memory = `upload.${file.name}.${file.size}.${file.lastModified}`;
  let upload = null;
  try {
    controller.signal.throwIfAborted();
    upload = (await pendingUpload(kept.get(memory), file)) ?? (await requestJson('/v1/uploads', {
      method: 'POST', json: { filename: file.name, bytes: file.size }, signal: controller.signal,
    }));
    kept.set(memory, upload.id);
    await sendChunks(upload, file, controller.signal, row);
    const added = await requestJson(`/v1/uploads/${upload.id}/complete`, { method: 'POST' });
    kept.remove(memory);
    await loadFiles();
    if (!state.run) selectFile(added);
  } catch (error) {
    if (!controller.signal.aborted) {
      showError(new ApiError(`${file.name}: ${error.message}`, error.status, error.retryAfterSecs), () => addFiles([file]));
    } else if (upload) {
      kept.remove(memory);
      request(`/v1/uploads/${upload.id}/cancel`, { method: 'POST' }).catch(() => {}); // Else the server drops it in time.
    }
  } finally {
    row.remove();
  }
}

async function pendingUpload(id, file) {
  if (!id) return null;
  const upload = await requestJson(`/v1/uploads/${id}`).catch(() => null);
  return upload?.status === 'pending' && upload.bytes === file.size ? upload : null;
}

async function sendChunks(upload, file, signal, row) {
  const started = { at: performance.now(), received: upload.received };
  let { received } = upload;
  drawUpload(row, file, received, null);
  while (received < file.size) {
    received = await sendChunk(upload.id, file, received, signal);
    const rate = (received - started.received) / (performance.now() - started.at);
    drawUpload(row, file, received, (file.size - received) / rate / 1000);
  }
}

/** Sends the chunk at `offset`; returns how much the server has then, which it is asked for after a failure. */
async function sendChunk(id, file, offset, signal) {
  const path = `/v1/uploads/${id}`;
  for (let tries = 1; ; tries++) {
    try {
      const body = file.slice(offset, offset + CHUNK_BYTES);
      return (await requestJson(`${path}?offset=${offset}`, { method: 'PUT', body, signal })).received;
    } catch (error) {
      const worthIt = [0, 408, 409, 429].includes(error.status) || error.status >= 500;
      if (signal.aborted || !worthIt || tries === CHUNK_TRIES) throw error;
      await sleep(error.status === 409 ? 0 : 500 * 2 ** (tries - 1));
      offset = await requestJson(path, { signal }).then(({ received }) => received, () => offset);
      if (offset >= file.size) return offset;
    }
  }
}

function drawUpload(row, file, received, leftSecs) {
  row.querySelector('progress').value = received;
  const left = leftSecs !== null && leftSecs > 1 ? `${DOT}${span(leftSecs)} left` : '';
  row.querySelector('.hint').textContent = `${size(received)} of ${size(file.size)}${left}`;
}

function listenForDrops() {
  let depth = 0; // Children of the page enter and leave too.
  const overlay = (change) => {
    depth = Math.max(0, depth + change);
    $('drop-overlay').hidden = depth === 0;
  };
  const withFiles = (action) => (event) => {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    action(event);
  };
  addEventListener('dragenter', withFiles(() => overlay(1)));
  addEventListener('dragleave', withFiles(() => overlay(-1)));
  addEventListener('dragover', withFiles((event) => (event.dataTransfer.dropEffect = 'copy')));
  addEventListener('drop', withFiles((event) => {
    overlay(-Infinity);
    addFiles(event.dataTransfer.files);
  }));
}

// ---- Player --------------------------------------------------------------------------------------------------------

let playerUrl = null;
let playerLoad = null;

function loadPlayer(file) {
  playerLoad?.abort();
  URL.revokeObjectURL(playerUrl);
  $('player').removeAttribute('src');
  $('player').load();
  playerNote(null);
  if (!file) return;
  if (!apiKey.value) {
    $('player').src = `${fileUrl(file.id)}/content`;
  } else if (file.bytes <= BLOB_BYTES) {
    loadPlayerWithKey(file);
  } else {
    const load = button('Load it', () => loadPlayerWithKey(file));
    playerNote(`With a key the video is loaded whole before it plays: ${size(file.bytes)}. `, load);
  }
}

/** A <video> sends no key by itself. */
async function loadPlayerWithKey(file) {
  playerLoad = new AbortController();
  const { signal } = playerLoad;
  playerNote('Loading the video…');
  try {
    const content = await (await request(`${fileUrl(file.id)}/content`, { signal })).blob();
    signal.throwIfAborted();
    playerUrl = URL.createObjectURL(content);
    $('player').src = playerUrl;
    playerNote(null);
  } catch (error) {
    if (!signal.aborted) playerNote(`The video could not be loaded: ${error.message}`);
  }
}

function playerNote(...content) {
  $('player-note').hidden = content[0] === null;
  $('player-note').replaceChildren(...content.filter((part) => part !== null));
}

function cannotPlay() {
  const codec = state.plan?.video.codec;
  playerNote(`This browser cannot play this video${codec ? ` (codec ${codec})` : ''}. Everything else works: `
    + 'the plan, questions, moments and the timeline.');
}

function seek(secs, focusPlayer = true) {
  movePosition(secs);
  $('player').currentTime = secs;
  if (!focusPlayer) return;
  $('player').focus({ preventScroll: true });
  $('player').scrollIntoView({ block: 'nearest', behavior: calm() ? 'auto' : 'smooth' });
}

function seekButton(secs, properties, ...children) {
  const node = button('', () => seek(secs), { ...properties, 'data-secs': secs });
  node.classList.add('seek');
  node.replaceChildren(...children);
  return node;
}
