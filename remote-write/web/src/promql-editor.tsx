import { useEffect, useRef } from 'preact/hooks'
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { lintKeymap } from '@codemirror/lint'
import { EditorState, Prec } from '@codemirror/state'
import { EditorView, keymap, placeholder } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { PromQLExtension } from '@prometheus-io/codemirror-promql'

const highlight = HighlightStyle.define([
  { tag: tags.number, color: 'var(--code-number)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: tags.labelName, color: 'var(--code-label)' },
  { tag: [tags.keyword, tags.function(tags.variableName), tags.modifier], color: 'var(--code-function)' },
  { tag: tags.comment, color: 'var(--muted)', fontStyle: 'italic' },
])

const theme = EditorView.theme({
  '&': {
    flex: '1',
    minWidth: '0',
    fontSize: '14px',
    backgroundColor: 'var(--field)',
    border: '1px solid var(--line)',
    borderRadius: '6px',
  },
  '&.cm-focused': { outline: '2px solid var(--accent)' },
  '.cm-content': { fontFamily: 'var(--mono)', padding: '8px', caretColor: 'var(--text)' },
  '.cm-tooltip': { backgroundColor: 'var(--panel)', color: 'var(--text)', border: '1px solid var(--line)' },
})

/**
 * A PromQL field with completion of metrics, labels and functions from the server. Enter runs, Shift+Enter breaks the line.
 * `value` is the text to begin with; when it changes the editor takes it over, typing itself is only reported.
 */
export function PromqlEditor({
  value,
  onChange,
  onRun,
}: {
  value: string
  onChange: (text: string) => void
  onRun: (text: string) => void
}) {
  const element = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | undefined>(undefined)
  const handlers = useRef({ onChange, onRun })
  handlers.current = { onChange, onRun }

  useEffect(() => {
    const parent = element.current
    if (!parent) return
    const url = new URL('.', document.baseURI).href.replace(/\/$/, '')
    const promql = new PromQLExtension().setComplete({ remote: { url, httpMethod: 'GET' } })
    const run = (editor: EditorView) => {
      handlers.current.onRun(editor.state.doc.toString())
      return true
    }
    const editor = new EditorView({
      parent,
      state: EditorState.create({
        doc: value,
        extensions: [
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          EditorView.lineWrapping,
          placeholder('A PromQL expression, for example up'),
          syntaxHighlighting(highlight),
          theme,
          promql.asExtension(),
          keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
          Prec.high(keymap.of([{ key: 'Shift-Enter', run: (target) => insertLineBreak(target) }])),
          // Below the completion list, where Enter accepts the chosen entry.
          Prec.high(keymap.of([{ key: 'Enter', run: (target) => (hasOpenCompletion(target) ? false : run(target)) }])),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) handlers.current.onChange(update.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = editor
    return () => editor.destroy()
  }, [])

  useEffect(() => {
    const editor = view.current
    if (editor && editor.state.doc.toString() !== value) {
      editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } })
    }
  }, [value])

  return <div class="editor" ref={element} />
}

function insertLineBreak(editor: EditorView): boolean {
  editor.dispatch(editor.state.replaceSelection('\n'))
  return true
}

function hasOpenCompletion(editor: EditorView): boolean {
  return editor.dom.querySelector('.cm-tooltip-autocomplete') !== null
}
