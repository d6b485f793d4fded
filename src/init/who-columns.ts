import { wordsOf } from '../tracking/entity-default.js';

/*
 * Names of columns that say who made the last change, or who created the row, as words with `_` between.
 * Other columns that name people (author, owner, inviter, user) may be chosen by somebody else. A wrong name
 * accuses, so those are not used.
 */

/** German, Spanish and Portuguese, French, Italian, Dutch. */
const UPDATED_ELSEWHERE =
  /^(?:(?:geaendert|geändert|bearbeitet|aktualisiert)_von|(?:modificado|actualizado|editado|alterado|atualizado)_por|(?:modifie|modifié|mis_a_jour)_par|(?:modificato|aggiornato)_da|gewijzigd_door)(?:_id)?$/;
const CREATED_ELSEWHERE =
  /^(?:(?:erstellt|angelegt|erfasst)_von|(?:creado|criado)_por|(?:cree|créé)_par|creato_da|aangemaakt_door)(?:_id)?$/;
const UPDATED =
  /^(?:last_)?(?:updated|modified|changed|edited)_by(?:_user)?(?:_id)?$|^(?:updater|last_editor|last_modifier)_id$|^(?:write|update)_uid$/;
const CREATED = /^(?:created|added|inserted)_by(?:_user)?(?:_id)?$|^creator_id$|^create_uid$/;

/** Whether a column with this name says who made the last change. */
export const saysWhoUpdated = (column: string): boolean => {
  const spelled = wordsOf(column).join('_');
  return UPDATED.test(spelled) || UPDATED_ELSEWHERE.test(spelled);
};

/** Whether a column with this name says who created the row. */
export const saysWhoCreated = (column: string): boolean => {
  const spelled = wordsOf(column).join('_');
  return CREATED.test(spelled) || CREATED_ELSEWHERE.test(spelled);
};
