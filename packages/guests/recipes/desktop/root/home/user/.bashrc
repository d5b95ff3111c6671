PS1='\w\$ '
HISTSIZE=500
alias ls='ls --color=never'
