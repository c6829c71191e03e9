// Elements with text. Nothing from outside ever becomes HTML: it is always text.

export const byId = (id) => document.getElementById(id);

export function el(name, props = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(props)) {
    if (key in e && key !== 'role') e[key] = value;
    else e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c !== null && c !== undefined && c !== ''));
  return e;
}

// setText writes only what has changed, so that a selection and a reader's place stay.
export function setText(e, text) {
  if (e.textContent !== String(text)) e.textContent = text;
}

// fill puts children in place of what is there, unless all would be the same.
export function fill(parent, children) {
  const next = el('div', {}, ...children);
  if (parent.innerHTML !== next.innerHTML) parent.replaceChildren(...next.childNodes);
}

export const count = (n) => new Intl.NumberFormat('en').format(n);
export const plural = (n, what) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;

// day is a time of today, or with its date.
export function day(text) {
  const at = new Date(text);
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (at.toDateString() === new Date().toDateString()) return time;
  return `${at.toLocaleDateString([], { day: 'numeric', month: 'short' })}, ${time}`;
}

// ask calls the monitor. A refusal is an Error with the reason.
export async function ask(path, body) {
  let response;
  try {
    // The address of the page may hold the login, which fetch refuses; the browser remembers it.
    response = await fetch(new URL(path, location.origin), {
      signal: AbortSignal.timeout(10_000),
      ...(body && { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
  } catch {
    throw new Error('The monitor does not answer');
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The monitor answers ${response.status}`);
  return answer;
}
