// The dialog that asks before a page is stopped or let go on.
import { ask, byId, day, setText } from './dom.js';

const dialog = byId('ask');
let act, after;

const nameOf = (scope) => (scope === 'app' ? 'all pages' : `page ${scope}`);

function open(title, text, yes, danger, stop) {
  setText(byId('ask-title'), title);
  setText(byId('ask-text'), text);
  setText(byId('ask-yes'), yes);
  setText(byId('ask-error'), '');
  byId('ask-yes').classList.toggle('danger', danger);
  byId('ask-stop').hidden = !stop;
  byId('ask-why').required = stop;
  byId('ask-why').value = '';
  dialog.showModal();
  (stop ? byId('ask-why') : byId('ask-no')).focus();
}

// askStop asks for how long and why; then is called when it is done.
export function askStop(scope, then) {
  act = () => ask('/api/stop', { scope, seconds: Number(byId('ask-span').value), why: byId('ask-why').value });
  after = then;
  open(`Pause ${nameOf(scope)}?`, 'No worker starts another send for it. What is on its way arrives.', 'Pause', true, true);
}

// askRelease shows what stands still, and why.
export function askRelease(scope, stop, then) {
  act = () => ask('/api/release', { scope });
  after = then;
  const since = `Stopped since ${day(stop.since)}: ${stop.why}.`.replace('..', '.');
  open(`Let ${nameOf(scope)} send again?`, `${since} If what stopped it is not put right, it stops again.`,
    stop.hold ? 'Release' : 'Resume', false, false);
}

let closing;
function toast(text) {
  setText(byId('toast'), text);
  clearTimeout(closing);
  closing = setTimeout(() => setText(byId('toast'), ''), 6000);
}

byId('ask-no').addEventListener('click', () => dialog.close());
byId('ask-form').addEventListener('submit', async (e) => {
  e.preventDefault();
  const yes = byId('ask-yes');
  yes.disabled = true;
  try {
    const done = await act();
    dialog.close();
    toast(done.text.charAt(0).toUpperCase() + done.text.slice(1));
    after();
  } catch (error) {
    setText(byId('ask-error'), error.message);
  } finally {
    yes.disabled = false;
  }
});
