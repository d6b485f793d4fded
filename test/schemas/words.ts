/** Words for the texts of rows. A number after a word makes it a different one. */

export const FIRST_NAMES = [
  'Ada',
  'Bruno',
  'Chiara',
  'Dmitri',
  'Elif',
  'Farid',
  'Grace',
  'Hugo',
  'Ines',
  'Jonas',
  'Keiko',
  'Lars',
  'Mei',
  'Noor',
  'Olga',
  'Pavel',
  'Quentin',
  'Rosa',
  'Sven',
  'Tariq',
] as const;

export const LAST_NAMES = [
  'Albrecht',
  'Bianchi',
  'Castro',
  'Dubois',
  'Eriksen',
  'Fischer',
  'Garcia',
  'Haddad',
  'Ivanova',
  'Jensen',
  'Kim',
  'Lindqvist',
  'Moreau',
  'Novak',
  'Okafor',
  'Petrov',
  'Quinn',
  'Rossi',
  'Sato',
  'Tanaka',
] as const;

export const THINGS = [
  'Harbor',
  'Lantern',
  'Meadow',
  'Compass',
  'Orchard',
  'Granite',
  'Saffron',
  'Willow',
  'Copper',
  'Juniper',
  'Velvet',
  'Cinder',
  'Marble',
  'Thistle',
  'Beacon',
  'Quarry',
] as const;

export const PLACES = [
  'Lisbon',
  'Bergen',
  'Kyoto',
  'Tampere',
  'Ghent',
  'Porto',
  'Krakow',
  'Izmir',
  'Quito',
  'Accra',
  'Leeds',
  'Graz',
] as const;

export const COUNTRIES = [
  'Portugal',
  'Norway',
  'Japan',
  'Finland',
  'Belgium',
  'Poland',
  'Ghana',
  'Austria',
] as const;

export const SENTENCES = [
  'The delivery arrived a day early.',
  'Please call back before noon.',
  'All documents are complete.',
  'The price was agreed upon last week.',
  'Two parts are missing.',
  'This was settled by telephone.',
  'The customer asks for a copy.',
  'Nothing more has to be done.',
] as const;

export const LANGUAGES = ['en', 'de', 'fr', 'pt', 'ja', 'it'] as const;
