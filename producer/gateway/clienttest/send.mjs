// send.mjs LIBRARY BASE_URL TOKEN sends through a public client library of which only the base URL is changed, and prints what the
// library made of each answer, one JSON object.
import messagingApi from 'messaging-api-messenger';
import { Messenger } from '@warriorteam/messenger-sdk';

const { MessengerBatch, MessengerClient } = messagingApi;
const [library, base, token] = process.argv.slice(2);

// failure is what a library tells of an error, wherever it keeps the platform's object.
async function failure(call) {
  try {
    await call();
    return 'no error';
  } catch (e) {
    const error = e.response?.data?.error ?? e;
    return { name: e.name, code: error.code, message: error.message };
  }
}

const libraries = {
  async 'messaging-api-messenger'() {
    const config = { version: '26.0', origin: base, appSecret: 'the secret of the app' };
    const client = new MessengerClient({ ...config, accessToken: token });
    const stranger = new MessengerClient({ ...config, accessToken: 'stranger' });
    return {
      text: (await client.sendText('7', 'Hello')).messageId,
      buttons: (await client.sendButtonTemplate('7', 'Choose', [
        { type: 'postback', title: 'This & that', payload: 'A<B' },
      ])).messageId,
      action: await client.typingOn('7'),
      file: (await client.sendImage('7', Buffer.from('picture'), { filename: 'a.png' })).messageId,
      upload: (await client.uploadImage('https://media.example/a.png')).attachmentId,
      batch: (await client.sendBatch([
        MessengerBatch.sendText('8', 'one'), MessengerBatch.sendText('8', 'two'), MessengerBatch.sendText('8', 'x'.repeat(2001)),
      ])).map((a) => a.body.messageId ?? a.code),
      badText: await failure(() => client.sendText('7', 'x'.repeat(2001))),
      badToken: await failure(() => stranger.sendText('7', 'Hello')),
    };
  },

  async '@warriorteam/messenger-sdk'() {
    const client = new Messenger({ accessToken: token, baseUrl: base, maxRetries: 0 });
    const stranger = new Messenger({ accessToken: 'stranger', baseUrl: base, maxRetries: 0 });
    const send = (c, id) => c.send.message({ recipient: { id }, messaging_type: 'UPDATE', message: { text: 'Hello' } });
    return {
      text: (await send(client, '7')).message_id,
      action: await client.send.typingOn('7'),
      upload: (await client.attachments.upload({ type: 'image', url: 'https://media.example/a.png', is_reusable: true })).attachment_id,
      badText: await failure(() => send(client, 'nobody\u0000')),
      badToken: await failure(() => send(stranger, '7')),
    };
  },
};

console.log(JSON.stringify(await libraries[library]()));
