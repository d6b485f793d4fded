import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isSecretColumn, isSecretName } from '../../src/tracking/secrets.js';
import { maySecret, withoutSecrets } from '../../src/pipeline/secret-text.js';

const words = (text: string): string[] => text.trim().split(/\s+/);

describe("a name is recognised as a secret's", () => {
  test('if a common framework or its extensions use it for one', () => {
    const names = words(`
      encrypted_password reset_password_token confirmation_token unlock_token authentication_token invitation_token
      password_digest password_salt crypted_password persistence_token single_access_token perishable_token remember_token
      two_factor_secret two_factor_recovery_codes api_key apiKey API_KEY X-Api-Key hmac_key hmac_token tokens secrets salt
      otp_secret otp_backup_codes otp_secret_key encrypted_otp_secret_iv consumed_otp totp_secret private_key
      private_key_pem rsaPrivateKey access_token refresh_token id_token oauth_token_secret session_data session_key
      sessionToken email_change_token_new email_change_token_current token_hash client_secret client_secret_hash
      provider_refresh_token auth_code code_verifier secret_data line_channel_secret twitter_access_token_secret
      smtp_password imap_password pubsub_token webhook_secret stripe_secret_key aws_secret_access_key key_hash hashed_key
      token_encrypted encrypted_value_salt pwd PASSWORD userPassword passwordConfirmation access_token2 license_key
      invite_key scratch_hash otp_recovery_hint
      Authorization Set-Cookie Cookie password_hash passphrase jwt db_pass security_answer access_token_ciphertext
      secure_json_data secureSettings totp_recover security_stamp twofactor_remember key_encrypted code_hmac pushkey
      registration_access_token_signature confirmation_key openai_key recaptchaKey streamKey client_key pin_hash pin_block
      key_block cc_number cardNumber wallet_seed mnemonic_phrase pass_hash pass_word wifi_psk connection_string basic_auth`);
    expect(names.filter((name) => !isSecretName(name))).toEqual([]);
  });

  test('in other languages', () => {
    const names = words(`
      passwort_hash kennwort geheimnis passwörter wachtwoord_hash hasło пароль パスワード contrasena_anterior
      contraseñaNueva clave_api clave_privada clave_hash token_acceso senha_atual chave_secreta mot_de_passe
      mot_de_passe_precedent motDePasse mdp jeton_reinitialisation cle_api clé_privée chiave_privata`);
    expect(names.filter((name) => !isSecretName(name))).toEqual([]);
  });

  test('but not if it only describes a secret or looks similar', () => {
    const names = words(`
      token_count tokens_used token_type token_expires_at token_id password_changed_at reset_password_sent_at
      password_reset_required secret_santa secret_name salt_level salted public_key key cache_key primary_key sort_key
      foreign_key api_key_id aws_access_key_id passport passenger compass bypass author authored authority
      authorized_at digest secretary keyboard session_state session_count access_level has_password_set name email status
      desalted basalt cookies_accepted recovery_email backup_email verification_status hash checksum code zip_code
      otp_policy_type otp_policy otp_required otp_sent_at is_encrypted clave cle schluessel palabra_clave clave_producto
      mot passe_temps jeton_type secure concurrency_stamp pass pass_count site_key card_holder pin pinned`);
    expect(names.filter((name) => isSecretName(name))).toEqual([]);
  });

  test('if the name of its table shows what it contains', () => {
    const columns = words(`
      sessions.payload django_session.session_data session.sess sessions.data api_keys.value authtoken_token.key
      otp_totp_totpdevice.key user_second_factors.data refresh_tokens.parent oauth2_provider_grant.code ApiKey.value
      knox_authtoken.digest resetpasswordtoken.key account_emailconfirmation.key invitations_invitation.key
      auth_totp_device.key otp_email_emaildevice.key sentry_apigrant.code sentry_authenticator.config secret.data
      sentry_lostpasswordhash.hash unsubscribe_keys.key credentials_entity.data user_private_key.value
      user_password_history.hash UserPassword.hash Credential.key
      certificatekeypair.key_data otp_requests.code giftcard_giftcard.code users.pass usuarios.clave zugangsdaten.schluessel`);
    const isSecret = (name: string): boolean => {
      const [table, column] = name.split('.');
      return isSecretColumn(table!, column!);
    };
    expect(columns.filter((name) => !isSecret(name))).toEqual([]);
    expect(
      words('products.value settings.key payments.data countries.code possessions.data migrants.code').filter(
        isSecret,
      ),
    ).toEqual([]);
  });

  test('in linear time', () => {
    const began = performance.now();
    for (const part of ['a_', 'aA', '_', 'token_', 'A', '9a', 'é']) isSecretName(part.repeat(1_000_000));
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe('secrets within a text', () => {
  const masked = (text: string): string => withoutSecrets(text) ?? text;

  test.each([
    ['postgres://app:pw@db/crm', 'postgres://app:***@db/crm'],
    ['see amqp://a:p@ss:w/rd@host:1/x, and http://b:c@d', 'see amqp://a:***@host:1/x, and http://b:***@d'],
    ['cut off: postgres://app:hunter', 'cut off: postgres://app:***'],
    ['redis://:pw@cache:6379', 'redis://:***@cache:6379'],
    ['https://ghp_0123456789abcdef@github.com/x', 'https://***@github.com/x'],
    ['https://x.test/reset?id=1&token=abc&b=2', 'https://x.test/reset?id=1&token=***&b=2'],
    ['/users/edit?reset_password_token=a,b;c', '/users/edit?reset_password_token=***'],
    ['?user%5Bpassword%5D=x&y', '?user%5Bpassword%5D=***&y'],
    ['https://x/#access_token=q&state=1', 'https://x/#access_token=***&state=1'],
    ['Authorization: Bearer abc.def-1', 'Authorization: Bearer ***'],
    ['authorization: bearer AbCdEf12', 'authorization: bearer ***'],
    ['BASIC dXNlcjpwdw==', 'BASIC ***'],
    ['é postgres://é:pässwörd@h é', 'é postgres://é:***@h é'],
    [
      '{"host":"db","password" : "a\\"b","n":{"apiKey":"k"},"port":5}',
      '{"host":"db","password" : "***","n":{"apiKey":"***"},"port":5}',
    ],
    ['sent {"secret":{"a":["}"]},"b":1} to', 'sent {"secret":"***","b":1} to'],
    [String.raw`"{\"token\":\"a\\\"b\",\"c\":\"d\"}"`, String.raw`"{\"token\":\"***\",\"c\":\"d\"}"`],
    ['{"pass\\u0077ord":"x"}', '{"pass\\u0077ord":"***"}'],
    ['{"a":1,"private_key":"-----BEGIN cut', '{"a":1,"private_key":"***"'],
    [
      '---\nid: 7\nencrypted_password: "$2a$x\n  y"\notp_backup_codes:\n- a\n- b\nname: Dana\n',
      '---\nid: 7\nencrypted_password: ***\notp_backup_codes: ***\nname: Dana\n',
    ],
    [
      '--- !ruby/hash\n:inbound:\n  :password: pw\n  :private_key: |\n    line\n\n    line\n  :host: h',
      '--- !ruby/hash\n:inbound:\n  :password: ***\n  :private_key: ***\n  :host: h',
    ],
  ])('are masked in %s', (text, expected) => {
    expect(masked(text)).toBe(expected);
    const bytes = Buffer.from(`/${text}/`);
    expect(maySecret(bytes, 1, bytes.length - 1)).toBe(true);
  });

  test.each([
    'https://x.test:8080/a/@scope/b?page=2&token_count=3',
    'http://localhost:3000/@vite/client',
    'http://[::1]:3000/a@b',
    'mailto:a@b.test, 12:30, a/b, x=1',
    'https://user@host/path',
    'a bearer of news, basic information',
    '://',
    'a://',
    '?=',
    '?token=',
    'bearer',
    'Bearer ',
    '{"token_count":"5","name":"password: x","tokens":512,"password":null}',
    'She said "password" : it is secret',
    'Password: see the vault',
    '---\ntoken_count: 5\ntokens: 5\npassword:\nsecret: false\ntext: the password: is there',
    '--- "password"',
  ])('are not found in %s', (text) => {
    expect(withoutSecrets(text)).toBeNull();
  });

  test('are found in the bytes of a text, whatever is around them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (before, after) => {
        for (const found of [
          'a://b:canary@c ',
          '?token=canary ',
          'Bearer canary1 ',
          '{"api_key": "canary"}',
          '{"pwd":["canary", {"a":"canary"}]}',
        ]) {
          const bytes = Buffer.from(`${before}\n${found}${after}`);
          expect(maySecret(bytes, 0, bytes.length)).toBe(true);
          expect(withoutSecrets(bytes.toString('latin1'))).not.toContain('canary');
        }
      }),
    );
  });

  test('are searched for in linear time', () => {
    for (const part of [
      '://',
      'a://b:c/',
      '?a=',
      '?token=',
      'bearer ',
      'basic',
      '=',
      '/',
      'a://b:',
      '@',
      '&'.repeat(9),
      '%5B',
      '"',
      '"pwd":',
      '"pwd":"',
      '"pwd":{',
      '\\"pwd\\":\\"',
      '\\',
      '---\npwd: x\n',
      '---\n- pwd:\n - ',
    ]) {
      const began = performance.now();
      withoutSecrets(part.repeat(200_000));
      expect([part, performance.now() - began < 5_000]).toEqual([part, true]);
    }
  });
});
