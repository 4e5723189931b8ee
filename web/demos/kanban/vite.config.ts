import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Relative addresses, so that the built page runs at `/` as well as under a prefix such as `/kanban/`.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: '../../../examples/kanban/static',
    emptyOutDir: true,
    // Everything comes from our own files: nothing inlined that a strict content policy would refuse.
    assetsInlineLimit: 0,
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8001' } },
})
