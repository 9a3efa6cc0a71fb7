// Slack's dialogs: the one that stands open in front of the chosen person, its text area, and its way back to the callback.
'use strict';

/** The dialog that stands open in front of the chosen person, if any; the person may change while it does. */
function drawModal(state) {
  const dialog = byId('modal');
  const modal = (state.modals ?? []).find((one) => one.stack === page.stack && one.user === page.user);
  if (!modal) {
    if (dialog.open) dialog.close();
    dialog.dataset.id = '';
    return;
  }
  const errors = Object.values(modal.errors ?? {}).join(' ');
  if (byId('modal-errors').textContent !== errors) byId('modal-errors').textContent = errors;
  if (dialog.dataset.id === modal.id) return;
  dialog.dataset.id = modal.id;
  byId('modal-title').replaceChildren(textObject(modal.view.title));
  byId('modal-body').replaceChildren(...modal.view.blocks.map(modalBlock));
  byId('modal-as').textContent = `As ${personName(page.user)}.`;
  byId('modal-close').textContent = modal.view.close?.text ?? 'Cancel';
  byId('modal-submit').textContent = modal.view.submit?.text ?? 'Submit';
  if (!dialog.open) dialog.showModal();
}

function modalBlock(one) {
  if (one.type !== 'input') return block(one, { ts: '' });
  const element = one.element ?? {};
  const field = make(element.multiline ? 'textarea' : 'input', {
    id: 'modal-text', rows: '4', required: one.optional ? undefined : '', minlength: element.min_length, maxlength: element.max_length,
  });
  return make(
    'div',
    {},
    make('label', { for: 'modal-text' }, textObject(one.label)),
    field,
    one.hint ? make('p', { className: 'hint' }, textObject(one.hint)) : null,
  );
}

const posted = (path, body) =>
  fetch(path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-cordon-sandbox': '1' }, body: JSON.stringify(body) });

async function submitModal(event) {
  event.preventDefault();
  byId('modal-submit').disabled = true;
  try {
    const answer = await posted('submit', { id: byId('modal').dataset.id, text: byId('modal-text')?.value ?? '' });
    const result = await answer.json();
    if (result.error) toast(result.error, true);
    else if (result.status !== 200) toast(`The callback answered HTTP ${result.status}: ${spoken(result.body)}`, true);
  } catch (error) {
    toast(`The dialog could not be sent: ${error.message}`, true);
  } finally {
    byId('modal-submit').disabled = false;
    await refresh();
  }
}

async function dismissModal(event) {
  event.preventDefault();
  await posted('dismiss', { id: byId('modal').dataset.id });
  await refresh();
}

document.getElementById('modal-form').addEventListener('submit', submitModal);
document.getElementById('modal-close').addEventListener('click', dismissModal);
document.getElementById('modal').addEventListener('cancel', dismissModal);
