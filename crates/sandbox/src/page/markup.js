// Slack's `mrkdwn` as nodes. What it is given may be an attacker's text: it goes onto the page as text nodes only, never as markup,
// and an address becomes a link only if it is http or https.
'use strict';

/** Makes an element; children are elements or text. */
function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  const { className, data, on, ...rest } = options;
  if (className) element.className = className;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  for (const [name, handler] of Object.entries(on ?? {})) element.addEventListener(name, handler);
  for (const [name, value] of Object.entries(data ?? {})) element.dataset[name] = value;
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return element;
}

const EMOJI = {
  white_check_mark: '✅', warning: '⚠️', rotating_light: '🚨', x: '❌', lock: '🔒', unlock: '🔓', hourglass: '⏳', eyes: '👀',
  red_circle: '🔴', large_orange_circle: '🟠', large_yellow_circle: '🟡', large_blue_circle: '🔵', white_circle: '⚪', shield: '🛡️',
};
const unescape = (text) => text.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

/** `mrkdwn` as nodes. */
function markup(source) {
  // Parts that hold no further markup are taken out first; the marks that stand for them cannot occur in the text.
  const kept = [];
  const keep = (node) => `\uE000${kept.push(node) - 1}\uE001`;
  let text = String(source).replace(/[\uE000-\uE0FF]/g, '');
  text = text.replace(/```([\s\S]+?)```/g, (_, inner) => keep(make('pre', {}, make('code', {}, unescape(inner.replace(/^\n|\n$/g, ''))))));
  text = text.replace(/`([^`\n]+)`/g, (_, inner) => keep(make('code', {}, unescape(inner))));
  text = text.replace(/<([^<>\n]+)>/g, (_, inner) => keep(reference(inner)));
  const fragment = document.createDocumentFragment();
  const lines = text.split('\n');
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    if (line.startsWith('&gt; ') || line.startsWith('>')) {
      const quoted = line.replace(/^(&gt;|>)\s?/, '');
      fragment.append(make('blockquote', {}, ...inline(quoted, kept)));
    } else {
      fragment.append(...inline(line, kept));
      if (index < lines.length - 1) fragment.append(document.createElement('br'));
    }
  }
  return fragment;
}

const STYLES = { '*': 'strong', _: 'em', '~': 's' };

function inline(text, kept) {
  const styled = /(^|[\s([{"'•—:,-])([*_~])(?=\S)([^\n]*?\S)\2(?=$|[\s)\]}"'.,:;!?—-])/;
  const found = styled.exec(text);
  if (!found) return plain(text, kept);
  const [all, before, mark, inner] = found;
  const head = text.slice(0, found.index) + before;
  return [
    ...plain(head, kept),
    make(STYLES[mark], {}, ...inline(inner, kept)),
    ...inline(text.slice(found.index + all.length), kept),
  ];
}

function plain(text, kept) {
  return text.split(/(\uE000\d+\uE001)/).filter(Boolean).map((part) => {
    const mark = /^\uE000(\d+)\uE001$/.exec(part);
    if (mark) return kept[Number(mark[1])];
    return document.createTextNode(unescape(part.replace(/:([a-z_]+):/g, (all, name) => EMOJI[name] ?? all)));
  });
}

/** How Slack says how long ago something was. */
function ago(seconds) {
  const [count, unit] = seconds < 60 ? [0, ''] : seconds < 3600 ? [seconds / 60, 'minute'] : seconds < 86400 ? [seconds / 3600, 'hour'] : [seconds / 86400, 'day'];
  if (!unit) return 'just now';
  const whole = Math.floor(count);
  return `${whole} ${unit}${whole === 1 ? '' : 's'} ago`;
}

/** What stands between `<` and `>`: a person, a date, the whole channel, or a link. */
function reference(inner) {
  const [target, label] = inner.split(/\|(.*)/s);
  if (target.startsWith('@')) return make('span', { className: 'mention' }, `@${personName(target.slice(1))}`);
  if (target.startsWith('!date^')) {
    const [, at, format] = target.split('^');
    const seconds = Number(at);
    if (format === '{ago}' && Number.isFinite(seconds)) return make('span', { title: unescape(label ?? '') }, ago(Date.now() / 1000 - seconds));
    const shown = Number.isFinite(seconds) ? new Date(seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }) : '';
    return make('span', { title: unescape(label ?? '') }, shown || unescape(label ?? ''));
  }
  if (target.startsWith('!')) return make('span', { className: 'mention' }, `@${unescape(label ?? target.slice(1))}`);
  if (target.startsWith('#')) return make('span', { className: 'mention' }, `#${unescape(label ?? target.slice(1))}`);
  const address = unescape(target);
  if (!/^https?:\/\//i.test(address)) return document.createTextNode(unescape(label ?? target));
  return make('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, unescape(label ?? target));
}

const textObject = (object) => {
  if (!object) return '';
  return object.type === 'plain_text' ? document.createTextNode(object.text ?? '') : markup(object.text ?? '');
};
