// Draws the channel and the incidents from /state.json. Everything that comes from there may be an attacker's text: it goes onto the
// page as text nodes only, by `make` and `markup` of markup.js.
'use strict';

const POLL_MS = 700;
const SILENT_MS = 4000;

const byId = (id) => document.getElementById(id);

const page = { state: null, stack: null, user: null, busy: new Set(), unfolded: new Map() };

// ---- The channel ---------------------------------------------------------------------------------------------------------------

function personName(id) {
  return page.state?.people?.find((person) => person.id === id)?.name ?? id;
}

function block(one, message) {
  switch (one.type) {
    case 'header':
      return make('div', { className: 'block header', role: 'heading', 'aria-level': '3' }, textObject(one.text));
    case 'divider':
      return make('div', { className: 'block divider' });
    case 'context':
      return make('div', { className: 'block context' }, ...(one.elements ?? []).map((item) => make('span', {}, textObject(item))));
    case 'actions':
      return make('div', { className: 'block actions' }, ...(one.elements ?? []).map((item) => button(item, message)));
    case 'section': {
      const parts = [];
      if (one.text) parts.push(make('div', { className: 'block' }, textObject(one.text)));
      if (one.fields) parts.push(make('div', { className: 'block fields' }, ...one.fields.map((item) => make('div', {}, textObject(item)))));
      if (one.accessory?.type === 'button') parts.push(make('div', { className: 'block actions' }, button(one.accessory, message)));
      return make('div', {}, ...parts);
    }
    default:
      return make('div', { className: 'block' }, `[${one.type}]`);
  }
}

function button(element, message) {
  const busy = page.busy.has(`${message.ts} ${element.action_id}`);
  return make(
    'button',
    {
      type: 'button',
      className: `press ${element.style ?? ''}`,
      disabled: busy ? '' : undefined,
      on: { click: () => press(element, message) },
    },
    element.text?.text ?? element.action_id,
  );
}

const sameBlocks = (blocks, message) => (blocks ?? []).map((one) => block(one, message));

function messageNode(message) {
  const body = [];
  if (message.blocks?.length) body.push(...sameBlocks(message.blocks, message));
  else if (message.text) body.push(make('div', { className: 'block' }, markup(message.text)));
  for (const attachment of message.attachments ?? []) {
    const inside = make('div', { className: 'attachment' }, ...sameBlocks(attachment.blocks, message));
    if (!attachment.blocks && attachment.text) inside.append(make('div', { className: 'block' }, markup(attachment.text)));
    if (/^#[0-9a-f]{3,8}$/i.test(attachment.color ?? '')) inside.style.borderLeftColor = attachment.color;
    body.push(inside);
  }
  const answers = (page.state.clicks ?? []).filter((click) => click.ts === message.ts && click.status !== undefined);
  if (answers.length) body.push(make('ul', { className: 'answers' }, ...answers.map(answerNode)));
  const when = new Date(message.posted_at);
  const notes = [];
  if (message.edits > 0) notes.push('edited');
  if (message.via === 'webhook') notes.push('incoming webhook');
  const classes = ['message'];
  if (message.thread_ts) classes.push('reply');
  if (message.ephemeral_to) classes.push('private');
  return make(
    'article',
    { className: classes.join(' ') },
    make('div', { className: 'avatar' }, make('img', { src: 'icon.svg', alt: '' })),
    make(
      'div',
      {},
      make(
        'div',
        { className: 'byline' },
        make('strong', {}, 'Cordon'),
        make('span', { className: 'badge' }, 'APP'),
        make('time', { datetime: message.posted_at, title: when.toLocaleString() }, clockOf(when)),
        notes.length ? make('span', { className: 'note' }, `(${notes.join(', ')})`) : null,
        message.ephemeral_to ? make('span', { className: 'note' }, `Only visible to ${personName(message.ephemeral_to)}`) : null,
      ),
      ...body,
    ),
  );
}

function answerNode(click) {
  const good = click.status === 200;
  const pressed = click.action_id.replace(/^cordon_/, '').replace(/_/g, ' ');
  return make(
    'li',
    {},
    `${personName(click.user)} pressed ${pressed}: `,
    make('span', { className: good ? 'good' : 'bad' }, `HTTP ${click.status}`),
    ` in ${click.took_ms} ms`,
    click.answer ? `, ${spoken(click.answer)}` : '',
  );
}

/** What a callback said: the text of a JSON answer, or the answer as it is. */
function spoken(answer) {
  try {
    const parsed = JSON.parse(answer);
    return parsed.text ?? parsed.message ?? parsed.error ?? (Object.keys(parsed).length ? answer : 'no words');
  } catch {
    return answer;
  }
}

async function press(element, message) {
  const key = `${message.ts} ${element.action_id}`;
  if (page.busy.has(key)) return;
  if (element.confirm && !(await confirmed(element.confirm))) return;
  page.busy.add(key);
  draw();
  try {
    const answer = await fetch('click', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-cordon-sandbox': '1' },
      body: JSON.stringify({ ts: message.ts, action_id: element.action_id, user: page.user }),
    });
    const result = await answer.json();
    if (result.error) toast(result.error, true);
    else if (result.status !== 200) toast(`The callback answered HTTP ${result.status}: ${spoken(result.body)}`, true);
  } catch (error) {
    toast(`The click could not be sent: ${error.message}`, true);
  } finally {
    page.busy.delete(key);
    await refresh();
  }
}

function confirmed(confirm) {
  const dialog = byId('confirm');
  byId('confirm-title').replaceChildren(textObject(confirm.title));
  byId('confirm-text').replaceChildren(textObject(confirm.text));
  byId('confirm-as').textContent = `As ${personName(page.user)}.`;
  byId('confirm-no').textContent = confirm.deny?.text ?? 'Cancel';
  byId('confirm-yes').textContent = confirm.confirm?.text ?? 'Yes';
  byId('confirm-no').className = 'press';
  byId('confirm-yes').className = `press ${confirm.style === 'danger' ? 'danger' : 'primary'}`;
  return new Promise((resolve) => {
    const end = (answer) => () => {
      dialog.onclose = null;
      dialog.close();
      resolve(answer);
    };
    byId('confirm-yes').onclick = end(true);
    byId('confirm-no').onclick = end(false);
    dialog.onclose = () => resolve(false);
    dialog.showModal();
  });
}

function toast(text, bad) {
  const node = make('div', { className: bad ? 'toast bad' : 'toast' }, text);
  byId('toasts').append(node);
  setTimeout(() => node.remove(), 7000);
}

// ---- Incidents -----------------------------------------------------------------------------------------------------------------

const titleCase = (text) => text.replace(/_/g, ' ').replace(/^./, (first) => first.toUpperCase());
const ENDS = {
  Contained: 'good', Ignored: 'plain', Duplicate: 'plain', Merged: 'plain', Exempt: 'plain', Alerted: 'plain', Denied: 'plain',
  Expired: 'bad', Partial: 'bad', NeedsPerson: 'bad', Failed: 'bad',
};
const spaced = (name) => name.replace(/([a-z])([A-Z])/g, (_, one, two) => `${one} ${two.toLowerCase()}`);

/** `14:03:09`, whatever the reader's locale. */
const clockOf = (date) => date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

function took(from, to) {
  const ms = Math.max(0, to - from);
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 100000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60000)} min`;
}

function pathNode(execution) {
  const list = make('ol', { className: 'path', 'aria-label': 'States of the execution' });
  // Choices end in a question mark; they take no time and only repeat what the next state says.
  const states = execution.states.filter((state) => !state.name.endsWith('?'));
  for (const [index, state] of states.entries()) {
    const last = index === states.length - 1;
    const end = ENDS[state.name];
    const running = last && execution.status === 'RUNNING' && !state.left_at_ms;
    const chip = make('span', { className: 'chip' }, spaced(state.name));
    if (running) chip.classList.add('now');
    else if (end) chip.classList.add('end', end);
    const until = state.left_at_ms ?? (running ? Date.now() : execution.stopped_at_ms);
    if (!end && until) {
      chip.append(make('span', { className: 'took' }, running && until - state.entered_at_ms < 100000 ? `${Math.floor((until - state.entered_at_ms) / 1000)} s` : took(state.entered_at_ms, until)));
    }
    list.append(make('li', running ? { 'aria-current': 'step' } : {}, chip));
  }
  if (['FAILED', 'TIMED_OUT', 'ABORTED'].includes(execution.status) && !ENDS[states.at(-1)?.name]) {
    list.append(make('li', {}, make('span', { className: 'chip end bad' }, titleCase(execution.status.toLowerCase()))));
  }
  return list;
}

/** A subject or an actor, whatever shape the table holds it in. */
function named(value) {
  if (value === null || value === undefined) return 'unknown';
  if (typeof value !== 'object') return String(value);
  if (value.name) return value.kind && typeof value.kind === 'string' ? `${value.kind.replace(/_/g, ' ')} ${value.name}` : value.name;
  if (value.arn) return value.arn;
  if (value.id) return value.id;
  const inner = Object.values(value).find((item) => item && typeof item === 'object');
  return inner ? named(inner) : Object.values(value).filter((item) => typeof item === 'string').join(' ') || 'unknown';
}

function incidentNode(incident, execution, open) {
  const head = incident.head ?? {};
  const severity = String(head.severity ?? '').toLowerCase();
  const stage = head.outcome ?? head.state ?? 'opened';
  const title = head.detections?.[0]?.title ?? head.event?.name ?? incident.id;
  const opened = head.opened_at ? new Date(head.opened_at) : null;
  const log = incident.log ?? [];
  const details = make(
    'details',
    open ? { open: '' } : {},
    make('summary', {}, `Timeline, ${log.length} ${log.length === 1 ? 'entry' : 'entries'}, hash-chained`),
    make('ol', { className: 'timeline' }, ...log.map(entryNode)),
  );
  details.firstChild.addEventListener('click', () => page.unfolded.set(incident.id, !details.open));
  return make(
    'article',
    { className: `incident ${severity}`, 'aria-label': title },
    make(
      'div',
      { className: 'tags' },
      severity ? make('span', { className: `tag ${severity}` }, titleCase(severity)) : null,
      make('span', { className: `tag ${stage}` }, titleCase(String(stage))),
      head.merged ? make('span', {}, `${head.merged} merged`) : null,
      opened ? make('time', { className: 'when', datetime: head.opened_at, title: opened.toLocaleString() }, clockOf(opened)) : null,
    ),
    make('h3', {}, title),
    make(
      'p',
      { className: 'sub' },
      make('code', {}, head.actor?.name ?? named(head.actor)),
      ` called ${head.event?.name ?? 'something'} on `,
      make('code', {}, named(head.subject)),
    ),
    execution ? pathNode(execution) : null,
    log.length ? details : null,
  );
}

/** What an entry says that is not on the card already, in the order in which it is worth reading. */
const TELLING = ['decision_reason', 'reason', 'route', 'result', 'call', 'calls', 'missing', 'error', 'outcome', 'rules', 'slack', 'sns', 'deadline'];
const TELLING_MAX_CHARS = 150;

function entryNode(entry) {
  const at = new Date(entry.at);
  const data = entry.data && typeof entry.data === 'object' ? entry.data : {};
  const filled = Object.entries(data).filter(([, value]) => value !== null && value !== '' && !(Array.isArray(value) && !value.length));
  const telling = TELLING.filter((name) => filled.some(([key]) => key === name));
  const facts = make('dl');
  for (const name of telling) facts.append(make('dt', {}, name.replace(/_/g, ' ')), make('dd', {}, ...said(data[name], TELLING_MAX_CHARS)));
  const everything = filled.length > telling.length || JSON.stringify(data).length > 400;
  const bad = /fail|refused|stripped|needs_person|expired/.test(entry.kind ?? '');
  const clock = `${clockOf(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  return make(
    'li',
    { className: bad ? 'bad' : '' },
    make('span', { className: 'kind' }, String(entry.kind ?? '').replace(/_/g, ' ')),
    ' ',
    make('span', { className: 'meta' }, `${clock}${entry.by ? ` · ${personName(entry.by)}` : ''} · `),
    entry.hash ? make('span', { className: 'hash', title: `hash ${entry.hash}` }, entry.hash.slice(0, 10)) : null,
    facts.childElementCount ? facts : null,
    everything ? make('details', { className: 'all' }, make('summary', {}, 'everything'), make('pre', {}, make('code', {}, JSON.stringify(data, null, 2)))) : null,
  );
}

/** A value in words: a list is a line an item, a thing with a title is its title. */
function said(value, limit) {
  const one = (item) => {
    const text = typeof item === 'string' ? item : item?.title ?? item?.call ?? JSON.stringify(item);
    return text.length > limit ? `${text.slice(0, limit)}…` : text;
  };
  return (Array.isArray(value) ? value : [value]).map((item) => make('div', {}, one(item)));
}

function otherNode(execution) {
  return make('div', { className: 'other' }, make('div', { className: 'sub' }, execution.name), pathNode(execution));
}

function alertNode(alert) {
  const when = new Date(alert.at);
  const body = typeof alert.message === 'string' ? alert.message : JSON.stringify(alert.message, null, 2);
  return make(
    'div',
    { className: 'alert' },
    make('strong', {}, alert.subject || 'no subject'),
    make('time', { datetime: alert.at }, clockOf(when)),
    make('details', {}, make('summary', {}, 'the message'), make('pre', {}, make('code', {}, body))),
  );
}

// ---- Drawing -------------------------------------------------------------------------------------------------------------------

/** Puts nodes for items into a container, keeping those whose item has not changed, so that focus and selection stay. */
function keep(container, items, emptyText, build) {
  const old = new Map([...container.children].filter((node) => node.dataset.key).map((node) => [node.dataset.key, node]));
  const wanted = items.map(({ key, sign, value }) => {
    const known = old.get(key);
    if (known && known.dataset.sign === sign) return known;
    const node = build(value);
    node.dataset.key = key;
    node.dataset.sign = sign;
    return node;
  });
  if (!wanted.length) {
    if (!container.querySelector(':scope > .empty')) container.replaceChildren(make('p', { className: 'empty' }, emptyText));
    return;
  }
  const now = [...container.children];
  if (now.length === wanted.length && wanted.every((node, index) => node === now[index])) return;
  const focused = document.activeElement?.closest?.('[data-key]')?.dataset.key;
  container.replaceChildren(...wanted);
  if (focused && !container.contains(document.activeElement)) {
    container.querySelector(`[data-key="${CSS.escape(focused)}"] button`)?.focus();
  }
}

const signOf = (...parts) => JSON.stringify(parts);

function draw() {
  const state = page.state;
  if (!state) return;
  const channel = state.channels.find((one) => one.stack === page.stack) ?? state.channels[0];
  if (channel) byId('channel-name').textContent = `# ${channel.name}`;
  const stack = (state.stacks ?? []).find((one) => one.name === page.stack);
  byId('stack-line').textContent = stack ? `account ${stack.account}, mode ${stack.mode}` : 'deploying…';
  drawChannel(state);
  drawModal(state);
  drawIncidents(state);
}

function drawChannel(state) {
  const visible = state.messages.filter((message) => message.stack === page.stack && (!message.ephemeral_to || message.ephemeral_to === page.user));
  const roots = visible.filter((message) => !message.thread_ts);
  const ordered = roots.flatMap((root) => [root, ...visible.filter((message) => message.thread_ts === root.ts)]);
  const items = ordered.map((message) => ({
    key: message.ts,
    sign: signOf(message, state.clicks.filter((click) => click.ts === message.ts), [...page.busy].filter((key) => key.startsWith(message.ts))),
    value: message,
  }));
  const box = byId('messages');
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
  const before = box.childElementCount;
  keep(box, items, 'Nothing has been posted yet.', messageNode);
  if (atEnd && box.childElementCount !== before) box.lastElementChild?.scrollIntoView({ block: 'nearest' });
  byId('channel-count').textContent = ordered.length || '';
}

function drawIncidents(state) {
  const executions = new Map((state.executions ?? []).map((execution) => [execution.arn, execution]));
  const incidents = (state.incidents ?? [])
    .filter((incident) => incident.stack === page.stack)
    .sort((one, two) => String(two.head?.opened_at ?? '').localeCompare(String(one.head?.opened_at ?? '')));
  const used = new Set();
  const items = incidents.map((incident, index) => {
    const execution = executions.get(incident.head?.execution);
    if (execution) used.add(execution.arn);
    const running = execution?.status === 'RUNNING' ? Math.floor(Date.now() / 1000) : 0;
    const open = page.unfolded.get(incident.id) ?? index === 0;
    return { key: incident.id, sign: signOf(incident, execution, running, index === 0), value: { incident, execution, open } };
  });
  keep(byId('incident-list'), items, 'No incident yet.', ({ incident, execution, open }) => incidentNode(incident, execution, open));
  byId('incidents-count').textContent = incidents.length || '';

  const others = (state.executions ?? []).filter((execution) => execution.stack === page.stack && !used.has(execution.arn));
  keep(byId('other-list'), others.map((one) => ({ key: one.arn, sign: signOf(one), value: one })), 'None.', otherNode);
  byId('others-count').textContent = others.length ? `(${others.length})` : '';

  const alerts = state.alerts.filter((alert) => alert.stack === page.stack).reverse();
  keep(byId('alert-list'), alerts.map((one) => ({ key: `${one.at} ${one.subject}`, sign: '1', value: one })), 'None yet.', alertNode);
  byId('alerts-count').textContent = alerts.length ? `(${alerts.length})` : '';
}

function drawChoices(state) {
  const people = byId('people-choices');
  if (!people.childElementCount && state.people.length) {
    page.user = state.people[0].id;
    people.append(
      ...state.people.map((person, index) => {
        const input = make('input', { type: 'radio', name: 'person', value: person.id, checked: index === 0 ? '' : undefined });
        input.addEventListener('change', () => {
          page.user = person.id;
          draw();
        });
        return make('label', {}, input, make('span', { className: 'name' }, person.name), make('span', { className: 'role' }, person.role));
      }),
    );
  }
  const names = state.channels.map((channel) => channel.stack);
  page.stack ??= names[0];
  const select = byId('stack-select');
  if (select.childElementCount !== names.length) {
    select.replaceChildren(...names.map((name) => make('option', { value: name }, name)));
    select.value = page.stack;
    byId('stack-choice').hidden = names.length < 2;
  }
}

let lastAnswer = Date.now();

function live(on) {
  byId('live').className = `live ${on ? 'on' : 'off'}`;
  const text = on ? 'live' : 'the sandbox has stopped';
  if (byId('live-text').textContent !== text) byId('live-text').textContent = text;
}

async function refresh() {
  try {
    const answer = await fetch('state.json', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    page.state = await answer.json();
    lastAnswer = Date.now();
    live(true);
    drawChoices(page.state);
    draw();
  } catch {
    if (Date.now() - lastAnswer > SILENT_MS) live(false);
  }
}

async function follow() {
  await refresh();
  setTimeout(follow, document.hidden ? POLL_MS * 4 : POLL_MS);
}

byId('stack-select').addEventListener('change', (event) => {
  page.stack = event.target.value;
  draw();
});
for (const view of document.querySelectorAll('.views button')) {
  view.addEventListener('click', () => {
    document.body.dataset.view = view.dataset.view;
    for (const other of document.querySelectorAll('.views button')) other.setAttribute('aria-pressed', String(other === view));
  });
}
follow();
