package main
import ("testing";"context";"io";"fmt";"time";"github.com/sendpace/sendpace/config";"github.com/sendpace/sendpace/sendapi/sandbox")
func TestZZ(t *testing.T){
 for k:=range 10 {
 a:=&app{stdout:io.Discard,stderr:io.Discard}
 d:=&demo{app:a,audience:demoAudience,cfg:config.Default()}
 d.cfg.Pages=demoPages(); d.cfg.Monitor.Addr="127.0.0.1:0"
 ctx,c:=context.WithTimeout(context.Background(),6*time.Second)
 d.run(ctx); c()
 at:=map[string][]time.Time{}
 for _,x:=range d.sandbox.Accepted(){ at[x.PageID]=append(at[x.PageID],x.At)}
 for p,n:=range map[string]int{"1001":1,"1002":5,"1003":15}{
  if m:=sandbox.Measure(at[p]); m.WorstSecond>n {
   for i:=n;i<len(at[p]);i++{ if g:=at[p][i].Sub(at[p][i-n]); g<time.Second { fmt.Println("run",k,"page",p,"window begins at send",i-n,"span ms",float64(g.Microseconds())/1000)}}
  } else { fmt.Println("run",k,p,"ok first span",float64(at[p][n].Sub(at[p][0]).Microseconds())/1000) }
 }}
}
