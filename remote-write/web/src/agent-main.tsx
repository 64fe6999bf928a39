import { render } from 'preact'
import { AgentApp } from './agent-app.tsx'
import './style.css'

const root = document.getElementById('app')
if (root) render(<AgentApp />, root)
