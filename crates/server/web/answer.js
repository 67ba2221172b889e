'use strict';

// Asking: the stream of an answer, its progress, its moments.

// ---- A question ----------------------------------------------------------------------------------------------------

/** Earlier questions and answers that the next one goes on from. */
function earlierTurns() {
  const { shown } = state;
  if (!$('follow-up').checked || !shown?.finish || !shown.answer) return [];
  return [...shown.earlier, { question: shown.question, answer: shown.answer }];
}

function messages(fileId, turns, question) {
  const texts = [...turns.flatMap((turn) => [turn.question, turn.answer]), question];
  return texts.map((text, i) => ({
    role: i % 2 ? 'assistant' : 'user',
    content: i === 0 ? [{ type: 'video_url', video_url: { url: fileId } }, { type: 'text', text }] : text,
  }));
}

function submitQuestion() {
  const question = $('question').value.trim();
  if (!question || !state.file || state.run) return;
  if (!settingsForm().checkValidity()) {
    $('settings').open = true;
    settingsForm().reportValidity();
    return;
  }
  runQuestion(state.file, question, earlierTurns());
}

async function runQuestion(file, question, earlier) {
  if (state.run) return;
  hideError();
  selectFile(file); // Another may be, where this is a second try.
  if ($('question').value.trim() === question) $('question').value = '';
  const record = {
    id: `${Date.now()}`, asked_at: Date.now(), question, earlier, answer: '', finish: null,
    frames: null, duration_secs: state.plan?.video.duration_secs ?? 0, evidence: null, receipt: null,
  };
  const run = { record, file, controller: new AbortController(), progress: null };
  state.run = run;
  openRecord(record);
  try {
    await streamAnswer(run);
  } catch (error) {
    const stopped = run.controller.signal.aborted;
    record.finish = stopped ? 'stopped' : 'error';
    const broken = error instanceof ApiError ? error : new ApiError(`The connection broke: ${error.message}`);
    if (!stopped) showError(broken, () => runQuestion(file, question, earlier));
  }
  state.run = null;
  finishRun(run);
}

async function streamAnswer({ record, file, controller }) {
  const form = settingsForm().elements;
  const json = {
    model: state.model.id, messages: messages(file.id, record.earlier, record.question), stream: true,
    max_tokens: Number(form.max_tokens.value), temperature: Number(form.temperature.value),
    longsight: { ...longsightSettings(), progress: true },
  };
  const response = await request('/v1/chat/completions', { method: 'POST', json, signal: controller.signal });
  for await (const event of events(response)) {
    if (event.error) throw new ApiError(event.error.message);
    if (event.longsight?.progress) setProgress(state.run, event.longsight.progress);
    const choice = event.choices?.[0];
    if (choice?.delta?.content) addText(record, choice.delta.content);
    if (choice?.finish_reason) record.finish = choice.finish_reason;
    if (event.longsight?.receipt) takeReceipt(record, event.longsight);
  }
  if (!record.finish) throw new ApiError('The connection ended before the answer was complete.');
}

function takeReceipt(record, { receipt, evidence }) {
  record.receipt = receipt;
  record.frames = receipt.frames.map(({ time_secs, role }) => ({ time_secs, role }));
  record.evidence = evidence ?? null;
}

function addText(record, text) {
  record.answer += text;
  state.run.progress = null;
  if (state.shown !== record) return;
  $('answer').append(text);
  drawProgress();
}

/** Keeps what came of a run, and shows it where its video is still selected. */
function finishRun({ record, file }) {
  const history = state.file?.id === file.id ? state.history : (kept.get(`history.${file.id}`) ?? []);
  if (record.answer || record.receipt) history.unshift(record);
  else if (state.shown === record && !$('question').value) $('question').value = record.question;
  if (state.files.some(({ id }) => id === file.id)) saveHistory(file.id, history);
  if (state.shown === record) show(record.answer || record.receipt ? record : null);
  else drawRunning();
}

// ---- Progress ------------------------------------------------------------------------------------------------------

function setProgress(run, { stage, done, total }) {
  const now = performance.now();
  const before = run.progress;
  const same = before?.stage === stage;
  run.progress = {
    stage, done, total, now,
    began: same ? before.began : { at: now, done },
    announced: same && now - before.announced < ANNOUNCE_MS ? before.announced : now,
  };
  if (state.shown !== run.record) return;
  drawProgress();
  if (run.progress.announced === now) $('progress-live').textContent = progressText(run.progress);
}

function progressText(progress) {
  if (!progress) return state.run?.record.answer ? 'Answering' : 'Sent';
  const { stage, done, total } = progress;
  if (stage === 'queue') return `In the queue: place ${done} of ${total}`;
  if (stage === 'frames') return `Reading frames: ${number.format(done)} of ${number.format(total)}`;
  return `Prefill of the prompt: ${percent(total ? done / total : 0)}`;
}

/** From the rate since the stage began; null while that says too little. */
function secondsLeft(progress) {
  if (!progress || progress.stage === 'queue' || progress.now - progress.began.at < ETA_AFTER_MS) return null;
  const rate = (progress.done - progress.began.done) / (progress.now - progress.began.at);
  return rate > 0 && progress.done < progress.total ? (progress.total - progress.done) / rate / 1000 : null;
}

function drawProgress() {
  const run = state.run?.record === state.shown ? state.run : null;
  $('progress').hidden = !run;
  if (!run) return;
  const { progress } = run;
  const left = secondsLeft(progress);
  $('progress-text').textContent = progressText(progress);
  $('progress-eta').textContent = left === null ? '' : `about ${span(left)} left`;
  const bar = $('progress-bar');
  if (progress && progress.stage !== 'queue' && progress.total) setAll(bar, { max: progress.total, value: progress.done });
  else bar.removeAttribute('value');
}

/** What depends on whether a question is at work. */
function drawRunning() {
  const running = state.run !== null;
  const here = running && state.run.file.id === state.file?.id;
  $('ask').disabled = running;
  $('ask').title = running && !here ? `A question about ${state.run.file.filename} is at work` : '';
  $('stop').hidden = !running;
  if (running) $('answer').setAttribute('aria-busy', 'true');
  else $('answer').removeAttribute('aria-busy');
  drawProgress();
  drawHistory();
  drawFollowUp();
}

function drawFollowUp() {
  const turns = earlierTurns();
  $('follow-note').hidden = turns.length === 0;
  const more = turns.length > 1 ? ` and ${count(turns.length - 1, 'question')} before it` : '';
  $('follow-note').textContent = turns.length ? `Goes on from “${turns.at(-1).question}”${more}.` : '';
}

// ---- Answer, moments, receipt --------------------------------------------------------------------------------------

/** Shows a record: at work, just finished, or of the history; null shows none. */
function show(record) {
  state.shown = record;
  $('result').hidden = !record;
  $('progress-live').textContent = '';
  if (record) {
    $('asked').textContent = record.question;
    const text = record.finish === null ? [record.answer] : linkTimes(record.answer, record.duration_secs);
    $('answer').replaceChildren(...text);
    drawFinish(record);
    drawMoments(record.evidence);
    drawReceipt(record.receipt);
  }
  drawRunning();
  drawTimeline();
}

function drawFinish({ finish }) {
  const texts = {
    length: 'The answer ends here because it has as many tokens as the settings allow.',
    stopped: 'Stopped before the answer was complete.', error: 'The answer broke off.',
  };
  $('finish').hidden = !(finish in texts);
  $('finish').textContent = texts[finish] ?? '';
}

/** The text in pieces, clock times within the video as buttons that seek. */
function linkTimes(text, duration) {
  const pieces = [];
  let end = 0;
  for (const match of text.matchAll(/(?<![\d:.])(?:\d{1,2}:[0-5]\d|\d{1,3}):[0-5]\d(?![\d:])/g)) {
    const secs = parseClock(match[0]);
    if (duration && secs > duration) continue;
    pieces.push(text.slice(end, match.index), seekButton(secs, { 'aria-label': `Go to ${match[0]}` }, match[0]));
    end = match.index + match[0].length;
  }
  return [...pieces, text.slice(end)];
}

function drawMoments(evidence) {
  const moments = evidence?.moments ?? [];
  $('evidence').hidden = moments.length === 0;
  $('moments').replaceChildren(...moments.map((moment, i) => {
    const { best_time_secs: best, from_secs: from, to_secs: to, score } = moment;
    const picture = evidence.thumbnails?.[i];
    const label = `Go to ${clock(best)}: ${percent(score)} of the evidence, from ${clock(from)} to ${clock(to)}`;
    const bar = el('span', { className: 'bar' }, part('within', Math.min(1, score)));
    return el('li', {}, seekButton(best, { 'aria-label': label },
      picture ? el('img', { src: picture, alt: '' }) : el('span', { className: 'no-picture' }, 'No picture'),
      el('span', { className: 'time' }, clock(best)), el('span', { className: 'hint' }, `${clock(from)} – ${clock(to)}`),
      el('span', { className: 'score' }, bar, percent(score))));
  }));
}

function drawReceipt(receipt) {
  $('receipt').hidden = !receipt;
  if (!receipt) return;
  const { tokens, context, timings, peak_bytes: peak, kv_cache: kv, index, warnings = [] } = receipt;
  const steps = ['video_decode', 'preprocess', 'vision', 'prefill', 'generate', 'index']
    .map((name) => [name.replace('_', ' '), timings?.[`${name}_secs`] ?? 0]);
  const total = steps.reduce((sum, [, secs]) => sum + secs, 0);
  $('receipt-summary').textContent = `${number.format(tokens.visual)} visual tokens${DOT}${span(total)}`;
  const facts = [
    ['Prompt', `${count(tokens.prompt, 'token')}, ${number.format(tokens.visual)} visual`],
    ['Reused', count(tokens.reused ?? 0, 'token')],
    ['Answer', count(tokens.generated ?? 0, 'token')],
    ['Context', `${context.method}, s ${factor(context.scale)}`],
    ['Pooling', receipt.pool?.spec ?? ''],
    ['Time', steps.filter(([, secs]) => secs > 0.0005).map(([name, secs]) => `${name} ${span(secs)}`).join(', ')],
    ['Peak memory', peak ? size(peak) : ''],
    ['KV cache', kv ? `${size(kv.bytes)}, ${kv.dtype}` : ''],
    ['Index', index ? `embeddings ${index.embeddings}, KV prefix ${index.kv_prefix ?? 'unused'}` : 'off'],
  ].filter(([, text]) => text);
  $('receipt-body').replaceChildren(factList(facts), ...warnings.map((text) => el('p', { className: 'warning' }, text)),
    el('details', {}, el('summary', {}, 'Whole receipt'), el('pre', { tabIndex: 0 }, JSON.stringify(receipt, null, 2))));
}
