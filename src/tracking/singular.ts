/**
 * Returns the singular of an English noun in lower case, as used in names of tables: `bots`, `categories`,
 * `statuses`, `people`. A word that is no plural, or that has no singular, is returned unchanged.
 */
export function singular(word: string): string {
  if (UNCOUNTABLE.has(word)) return word;
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  for (const [ending, replacement] of ENDINGS)
    if (ending.test(word)) return word.replace(ending, replacement);
  return word;
}

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/));

/** Words without a plural of their own, and singulars that look like plurals. */
const UNCOUNTABLE = set(`
  series species news equipment information money sheep fish deer moose rice police metadata data media feedback
  staff software hardware inventory audio stock sms mms dns gps rss css tls ssl https aws ios vps cms pos ops
  devops saas paas iaas
  has was yes os gas bus plus lens atlas alias bias canvas iris chassis tennis chess physics mathematics statistics
  analytics economics politics logistics ethics diabetes redis kubernetes always less across specimen regimen
  abdomen omen ramen means headquarters goods`);

const IRREGULAR: ReadonlyMap<string, string> = new Map(
  Object.entries({
    feet: 'foot',
    teeth: 'tooth',
    geese: 'goose',
    mice: 'mouse',
    lice: 'louse',
    dice: 'die',
    oxen: 'ox',
    indices: 'index',
    vertices: 'vertex',
    matrices: 'matrix',
    appendices: 'appendix',
    criteria: 'criterion',
    phenomena: 'phenomenon',
    curricula: 'curriculum',
    addenda: 'addendum',
    errata: 'erratum',
    corpora: 'corpus',
    genera: 'genus',
    alumni: 'alumnus',
    stimuli: 'stimulus',
    syllabi: 'syllabus',
    cacti: 'cactus',
    foci: 'focus',
    radii: 'radius',
    nuclei: 'nucleus',
    fungi: 'fungus',
    axes: 'axis',
    crises: 'crisis',
    theses: 'thesis',
    hypotheses: 'hypothesis',
    parentheses: 'parenthesis',
    syntheses: 'synthesis',
    diagnoses: 'diagnosis',
    prognoses: 'prognosis',
    synopses: 'synopsis',
    oases: 'oasis',
    ellipses: 'ellipsis',
    quizzes: 'quiz',
    lenses: 'lens',
    taxis: 'taxi',
    menus: 'menu',
    gurus: 'guru',
    emus: 'emu',
    buses: 'bus',
    gases: 'gas',
    lives: 'life',
    wives: 'wife',
    knives: 'knife',
    leaves: 'leaf',
    wolves: 'wolf',
    halves: 'half',
    calves: 'calf',
    elves: 'elf',
    shelves: 'shelf',
    thieves: 'thief',
    loaves: 'loaf',
    scarves: 'scarf',
    hooves: 'hoof',
    dwarves: 'dwarf',
  }),
);

/** Endings of plurals. The first one that matches counts. */
const ENDINGS: readonly (readonly [RegExp, string])[] = [
  [/people$/, 'person'],
  [/(?<=child)ren$/, ''],
  [/(?<=^(?:.*wo|.*[^aeiouy])?m)en$/, 'an'],
  // Words that are singulars already: address, status, analysis, axis.
  [/(?:ss|us|sis|xis)$/, '$&'],
  [/(?<=^(?:mov|cook|zomb|self|calor|gen|brown|hood|smooth|rook|prair|.?))ies$/, 'ie'],
  [/ies$/, 'y'],
  [/(?<=^(?:.*(?:cach|nich|avalanch|moustach|psych|quich|crech)|(?:head|tooth|heart)?ach))es$/, 'e'],
  [/(?<=ss|sh|ch|x|zz)es$/, ''],
  [/(?<=^(?:.*sh|t|f|can|d|w|h))oes$/, 'oe'],
  [/oes$/, 'o'],
  [
    /(?<=(?:^b|stat|bon|vir|camp|corp|cens|foc|nex|surpl|gen|apparat|consens|circ|chor|hiat|termin|octop)us)es$/,
    '',
  ],
  [/(?<=^(?:ali|bi|atl|canv)as)es$/, ''],
  [/yses$/, 'ysis'],
  [/(?<=..)s$/, ''],
];
