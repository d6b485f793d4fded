/**
 * Names that stand for secrets: names of columns, of members of JSON and hstore, and of parameters of URLs.
 * They are names that frameworks use (Devise, Django, Laravel, Auth.js, Supabase …) and similar ones
 * (DECISIONS 63).
 */

/**
 * Whether a value is a secret by its name: `encrypted_password`, `resetPasswordToken`, `X-Api-Key`. A fact
 * about a secret is none: `token_count`, `password_changed_at`.
 */
export function isSecretName(name: string): boolean {
  const words = wordsOf(name);
  const isSecretFrom = (at: number): boolean => {
    const length = stemAt(words, at);
    return length > 0 && words.slice(at + length).every(isAddition);
  };
  return (
    words.some((_, at) => isSecretFrom(at)) || isAlways(words) || isEncrypted(words) || isDescribed(words)
  );
}

/**
 * Whether a column holds secrets, by its own name or by that of its table. Some tables have secrets under
 * general names (`sessions.payload`, `api_keys.value`).
 */
export function isSecretColumn(table: string, column: string): boolean {
  if (isSecretName(column)) return true;
  const words = wordsOf(table).map(singular);
  const name = wordsOf(column).join('_');
  return IN_TABLES.some(
    ({ tables, columns }) =>
      columns.has(name) &&
      tables.some((last) => ` ${words.join(' ')}`.endsWith(` ${last}`) || isGlued(words, last)),
  );
}

/** Whether the last word ends with these words. Django writes `StaticToken` as `statictoken`. */
const isGlued = (words: readonly string[], last: string): boolean =>
  words.at(-1)?.endsWith(last.replaceAll(' ', '')) === true && !OTHER_ENDINGS.has(words.at(-1)!);

/** Splits `resetPasswordToken`, `X-Api-Key` or `OTPSecret` into lower-case words. */
const wordsOf = (name: string): string[] =>
  name
    .slice(0, MAX_NAME_LENGTH)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+|(?<=\p{L})(?=\p{N}+(?!\p{L}))/u)
    .filter((word) => word !== '');

/**
 * PostgreSQL's names have at most 63 bytes. If a member name is longer than this, only its beginning is
 * examined.
 */
const MAX_NAME_LENGTH = 256;

const singular = (word: string): string => word.replace(/(?<=..)s$/, '');

const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** Words that only happen to end like the name of such a table. */
const OTHER_ENDINGS = set(
  'possession obsession supersession immigrant emigrant migrant fragrant vagrant flagrant',
);

/** Words that are secrets, whatever comes before them. */
const NOUNS = set(`
  password passwords passwd passwds passphrase passcode passcodes pwd pw pswd pword psk bearer xpriv xprv
  passwort passwörter passwoerter kennwort kennwörter kennwoerter geheimnis geheimnisse zugangscode
  wachtwoord adgangskode passord losenord lösenord salasana haslo hasło heslo jelszo jelszó sifre şifre parool
  пароль パスワード 密码 密碼 비밀번호
  secret secrets token tokens salt otp totp hotp jwt credential credentials mnemonic cvv cvv2 cvc cvc2
  cookie cookies authorization authorisation apikey apikeys apisecret apitoken authkey authtoken accesstoken
  refreshtoken idtoken sessiontoken pushkey accesskey secretkey privatekey signingkey encryptionkey hmackey clientsecret`);

/** Nouns of languages in which the words that describe a noun follow it: `contrasena_anterior`. */
const DESCRIBED_AFTER = set(`
  contrasena contraseña contrasenas contraseñas contrasenia contrasenya senha senhas motdepasse mdp jeton jetons`);

/** Pairs of words that are a secret together, by the second word. */
const PAIRS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    key: `api private secret access hmac encryption encrypted signing master auth session service license webhook hashed
          symmetric shared aes activation reset verification recovery unlock invite invitation unsubscribe push confirmation
          client stream openai anthropic deepl mapbox maps stripe paypal braintree adyen mollie razorpay twilio sendgrid mailgun
          mailchimp postmark sparkpost algolia captcha recaptcha hcaptcha turnstile pusher firebase fcm apns vapid azure aws`,
    keys: 'api private secret access hmac encryption signing master auth',
    code: 'recovery backup verification auth authorization access security activation reset unlock login scratch otp',
    codes: 'recovery backup verification scratch otp',
    verifier: 'code',
    hash: 'key auth scratch clave pin pass',
    block: 'pin key',
    offset: 'pin',
    digest: 'key',
    string: 'connection community',
    auth: 'basic',
    number: 'card cc',
    seed: 'wallet',
    template: 'biometric',
    word: 'pass',
    data: 'session',
    answer: 'security',
    phrase: 'seed recovery pass',
    pass: 'smtp imap pop3 db database user ftp proxy admin root mail ldap',
    hmac: 'identity webhook code token',
    stamp: 'security',
    json: 'secure',
    settings: 'secure',
    remember: 'twofactor factor',
    sandi: 'kata',
    // Spanish, Portuguese, French and Italian: the noun comes first.
    passe: 'mot',
    api: 'clave chave cle clé chiave',
    privada: 'clave chave',
    privee: 'cle',
    privée: 'clé',
    privata: 'chiave',
    secreta: 'clave chave',
    secrete: 'cle',
    secrète: 'clé',
    acceso: 'clave',
    acces: 'cle',
    accès: 'clé',
  }).map(([second, first]) => [second, set(first)]),
);

/** Words that may follow a secret: the result is still a secret, or a part of it. */
const ADDITIONS = set(`
  hash hashed hashes digest digests encrypted enc cipher ciphertext crypted salt salts iv value values raw plain plaintext
  cleartext text data key keys signature recover recovery acceso acces accès acesso accesso phrase secret secrets
  token tokens code codes string old new current previous prev next
  confirmation confirm repeat backup history hint base64 b64 hex pem json blob bytes sha1 sha256 sha512 md5 bcrypt
  scrypt argon2 pbkdf2 bidx bindex`);

const isAddition = (word: string): boolean => ADDITIONS.has(word) || /^v?\d{1,3}$/.test(word);

/** Words that make everything after them a secret: `otp_backup_codes`, `otp_challenge`. */
const ALWAYS: ReadonlySet<string> = new Set(['otp']);
/** Last words of facts about it: `otp_policy_type`. */
const FACTS = set(`
  type policy method algorithm provider channel status state mode length digits period interval required enabled at on
  count counter attempts attempt`);

const isAlways = (words: readonly string[]): boolean => ALWAYS.has(words[0]!) && !FACTS.has(words.at(-1)!);

/**
 * Whether the application has encrypted or digested the value (attr_encrypted, lockbox): `content_digest`.
 */
const isEncrypted = (words: readonly string[]): boolean =>
  words.length > 1 &&
  (ENCRYPTED.has(words.at(-1)!) || words[0] === 'encrypted') &&
  !(words.at(-1) === 'encrypted' && QUESTIONS.has(words[0]!));

const ENCRYPTED = set('digest ciphertext encrypted');
const QUESTIONS = set('is was has are');

/** Whether a noun of {@link DESCRIBED_AFTER}, or `mot de passe`, comes before words that are no fact. */
const isDescribed = (words: readonly string[]): boolean =>
  !FACTS.has(words.at(-1)!) &&
  words.some((word, at) => DESCRIBED_AFTER.has(word) || (word === 'passe' && words[at - 1] === 'de'));

/** Returns how many words the secret that begins at this word has; 0: none begins there. */
function stemAt(words: readonly string[], at: number): number {
  if (NOUNS.has(words[at]!)) return 1;
  return at + 1 < words.length && PAIRS.get(words[at + 1]!)?.has(words[at]!) === true ? 2 : 0;
}

/** Columns that are secrets in certain tables, by the last words of the table's name in the singular. */
const IN_TABLES: readonly { readonly tables: readonly string[]; readonly columns: ReadonlySet<string> }[] = [
  // Rails, Laravel, Django, connect-pg-simple, Keycloak
  { tables: ['session'], columns: set('data payload sess session_id session_key value') },
  // Lago, Discourse, Django REST framework, drf-api-key
  {
    tables: ['api key', 'apikey', 'token', 'secret'],
    columns: set('key value hash hashed_key digest'),
  },
  // Gitea
  { tables: ['secret'], columns: set('data') },
  // django-allauth, django-invitations, Discourse, Sentry
  {
    tables: [
      'email confirmation',
      'password reset',
      'lost password hash',
      'invite',
      'invitation',
      'unsubscribe key',
    ],
    columns: set('key hash'),
  },
  // Supabase and others that rotate tokens: the previous token
  { tables: ['refresh token'], columns: set('parent previous') },
  // django-otp, Discourse
  {
    tables: [
      'totp',
      'totp device',
      'hotp device',
      'email device',
      'second factor',
      'two factor',
      'otp',
      'mfa factor',
      'authenticator',
    ],
    columns: set('key data seed value config'),
  },
  // OAuth servers
  { tables: ['grant', 'authorization code', 'auth code'], columns: set('code') },
  {
    tables: [
      'otp',
      'otp request',
      'otp code',
      'verification code',
      'login code',
      'sms code',
      'gift card',
      'giftcard',
    ],
    columns: set('code'),
  },
  // Drupal
  { tables: ['user', 'account', 'mail account'], columns: set('pass') },
  // Keycloak, n8n
  { tables: ['credential', 'credential entity'], columns: set('value data config key') },
  { tables: ['zugangsdaten'], columns: set('schluessel schlüssel wert daten zertifikat') },
  { tables: ['usuario'], columns: set('clave') },
  // Moodle, Cal.com, Authentik
  { tables: ['password history', 'password'], columns: set('hash value digest') },
  { tables: ['private key', 'key pair', 'keypair'], columns: set('value key data key_data') },
  // Vaultwarden
  { tables: ['cipher'], columns: set('key') },
  { tables: ['user'], columns: set('akey') },
];
